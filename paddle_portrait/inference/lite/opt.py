"""Paddle Lite's converter: ``python opt.py MODEL PARAMS PLACES PRECISION RESULT``, in Paddle Lite's environment.

MODEL and PARAMS are a legacy graph, PLACES what it shall run on (``x86``, ``arm``, ``opencl,arm``), PRECISION
``fp32``, ``fp16`` or ``int8`` (the weights alone), RESULT the file to write, without its ending ``.nb``.
What it cannot convert ends the process by a signal.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Convert what the command line names."""
    from paddlelite.lite import Opt

    model, params, places, precision, result = sys.argv[1:]
    converter = Opt()
    converter.set_model_file(model)
    converter.set_param_file(params)
    if precision == "fp16":
        converter.enable_fp16()  # before the places
    converter.set_valid_places(places)
    converter.set_model_type("naive_buffer")
    if precision == "int8":
        converter.set_quant_model(True)
        converter.set_quant_type("QUANT_INT8")
    converter.set_optimize_out(result)
    converter.run()


if __name__ == "__main__":
    main()
