"""The process that converts to OpenVINO: ``python -m paddle_portrait.export.openvino_child ONNX RESULT``."""

from __future__ import annotations

import sys


def main() -> None:
    """Convert the file named on the command line."""
    import openvino

    source, result = sys.argv[1:]
    openvino.save_model(openvino.Core().read_model(source), result, compress_to_fp16=False)


if __name__ == "__main__":
    main()
