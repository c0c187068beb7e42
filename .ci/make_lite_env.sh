#!/bin/sh
# Make .venv-lite, the environment of Paddle Lite, whose wheels exist for Python 3.10 and 3.8 only.
# LITE_PYTHON=/path/to/python chooses the interpreter. Exit code 3: there is no such Python here.
set -eu
cd "$(dirname "$0")/.."
. .ci/side_python.sh
env=${LITE_ENV:-.venv-lite}

works() {
    "$env/bin/python" -c '
import numpy
from paddlelite.lite import Opt
assert numpy.__version__.startswith("1.")
print("Paddle Lite", Opt().version(), "with numpy", numpy.__version__)' 2>/dev/null
}

if made=$(works); then
    echo "lite-env: $env is ready: $made"
    exit 0
fi
if [ "$(uname -s)" != Linux ] || [ "$(uname -m)" != x86_64 ]; then
    echo "error: Paddle Lite has wheels for Linux on x86_64 only; this is $(uname -s) on $(uname -m)." >&2
    exit 3
fi
python=$(find_python "${LITE_PYTHON:-}" 3.10 3.8)
if [ -z "$python" ]; then
    echo "error: Paddle Lite needs Python 3.10 or 3.8, and none runs here (looked on the PATH, and where pyenv, uv and" >&2
    echo "conda keep theirs). Install one beside yours (for example: pyenv install 3.10, or uv python install 3.10)," >&2
    echo "or name it: make lite-env LITE_PYTHON=/path/to/python3.10" >&2
    exit 3
fi
# With numpy 2 every answer was noise, without a word.
fill_env lite-env "$env" "$python" "paddlelite==2.13rc0" "numpy<2"
