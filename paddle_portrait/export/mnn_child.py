"""The process in which MNN's converter works: ``python -m paddle_portrait.export.mnn_child KIND SOURCE RESULT``.

``KIND`` is ``ONNX``, for a conversion of that to MNN, or ``MNN``, for a description of such a file as JSON. The
command ``mnnconvert`` of the package is not used: it installs a package into whatever Python it finds, and reports
every conversion to a server.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Convert the file named on the command line."""
    from _tools import mnnconvert  # the compiled part of the package MNN, at the top level

    kind, source, result = sys.argv[1:]
    into = "--JsonFile" if kind == "MNN" else "--MNNModel"
    mnnconvert(["mnnconvert", "-f", kind, "--modelFile", source, into, result, "--bizCode", "portrait"])


if __name__ == "__main__":
    main()
