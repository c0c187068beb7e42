"""The process that converts to ONNX: ``python -m paddle_portrait.export.onnx_child MODEL PARAMS RESULT OPSET``.

paddle2onnx ends its process on operators that it does not know, so it gets one of its own.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Convert the files named on the command line."""
    import paddle2onnx

    model, params, result, opset = sys.argv[1:]
    paddle2onnx.export(model, params, result, opset_version=int(opset))


if __name__ == "__main__":
    main()
