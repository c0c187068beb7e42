"""The process that converts to ONNX: ``python -m paddle_portrait.export.onnx_child OPSET MODEL PARAMS RESULT …``.

paddle2onnx ends its process on operators that it does not know, so it gets one of its own. Several models may
follow each other, three paths each, which saves starting it for every one.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Convert the files named on the command line."""
    import paddle2onnx

    opset, *paths = sys.argv[1:]
    for model, params, result in zip(paths[::3], paths[1::3], paths[2::3], strict=True):
        paddle2onnx.export(model, params, result, opset_version=int(opset))


if __name__ == "__main__":
    main()
