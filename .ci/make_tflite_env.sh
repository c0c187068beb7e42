#!/bin/sh
# Make .venv-tflite, the environment of onnx2tf, which writes TensorFlow Lite files (no TensorFlow: it has a writer of
# its own). TFLITE_PYTHON=/path/to/python chooses the interpreter. Exit code 3: there is no fitting Python here.
set -eu
cd "$(dirname "$0")/.."
. .ci/side_python.sh
env=${TFLITE_ENV:-.venv-tflite}

works() {
    "$env/bin/python" -c 'from importlib.metadata import version; import onnx2tf; print("onnx2tf", version("onnx2tf"))' 2>/dev/null
}

if made=$(works); then
    echo "tflite-env: $env is ready: $made"
    exit 0
fi
python=$(find_python "${TFLITE_PYTHON:-}" 3.12 3.13)
if [ -z "$python" ]; then
    echo "error: onnx2tf needs Python 3.12 or 3.13, and none runs here (looked on the PATH, and where pyenv, uv and" >&2
    echo "conda keep theirs). Install one beside yours (for example: pyenv install 3.12, or uv python install 3.12)," >&2
    echo "or name it: make tflite-env TFLITE_PYTHON=/path/to/python3.12" >&2
    exit 3
fi
fill_env tflite-env "$env" "$python" "onnx2tf==2.6.9"
