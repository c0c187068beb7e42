"""The process that converts to OpenVINO: ``python -m paddle_portrait.export.openvino_child HALF ONNX RESULT``.

``HALF`` is 1 where the weights are to be stored in half precision, else 0.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Convert the file named on the command line."""
    import openvino

    half, source, result = sys.argv[1:]
    openvino.save_model(openvino.Core().read_model(source), result, compress_to_fp16=half == "1")


if __name__ == "__main__":
    main()
