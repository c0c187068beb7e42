#!/bin/sh
# Make .venv and install the package with all that its tests need. make runs this when .venv/.installed is older
# than setup.py, requirements.txt or this file. PYTHON=/path/to/python chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."

find_python() {
    # A name on the PATH may be a shim that does not run, so each candidate is run, not looked up.
    for candidate in ${PYTHON:-python3 python3.12 python3.11 python3.10 python}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    echo "error: no Python 3.10, 3.11 or 3.12 runs here (tried: ${PYTHON:-python3 python3.12 python3.11 python3.10 python})." >&2
    echo "Install one (Debian, Ubuntu: sudo apt-get install python3 python3-pip), or name it: make PYTHON=/path/to/python3.11" >&2
    return 1
}

make_venv() {
    if "$1" -m venv .venv >/dev/null 2>&1; then
        return
    fi
    # Debian and Ubuntu put ensurepip in the package python3-venv. Without it the environment can still be
    # made, and the pip that is there fills it; --target is allowed on externally managed Pythons too.
    echo "venv: ensurepip is missing here; installing pip into .venv with the system's pip" >&2
    rm -rf .venv
    "$1" -m venv --without-pip .venv
    site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
    if ! "$1" -m pip install --quiet --target "$site" pip; then
        rm -rf .venv
        echo "error: this Python has neither ensurepip nor pip. sudo apt-get install python3-venv, then run make again." >&2
        return 1
    fi
}

python=$(find_python)
if ! .venv/bin/python -c '' >/dev/null 2>&1; then
    echo "set-up: $("$python" --version) -> .venv"
    rm -rf .venv
    make_venv "$python"
fi

pip="env PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip"
echo "set-up: installing paddle_portrait and what it needs into .venv (a few minutes the first time)"
$pip install --quiet -e ".[export,runtimes,quantise,server,video,lite,paddleseg,dev]"
# paddleseg 2.8.0 asks for opencv-python<=4.6, which cannot be imported with numpy 2; it runs with today's OpenCV.
# What else it needs is the extra `paddleseg` of setup.py.
$pip install --quiet --no-deps "paddleseg>=2.8.0"
# The converter to ncnn is a program of its own; only the Python around it, which is not used, wants PyTorch. It has
# no wheel for every system, and without it that one format says what it needs.
$pip install --quiet --no-deps pnnx || echo "set-up: pnnx is not to be had here; exports to ncnn need it"

if ! .venv/bin/python -c 'import paddle, cv2' 2>.venv/import_error.txt; then
    cat .venv/import_error.txt >&2
    if grep -q libgomp .venv/import_error.txt; then
        echo "error: Paddle needs the OpenMP runtime: sudo apt-get install libgomp1, then run make again." >&2
    fi
    exit 1
fi
rm -f .venv/import_error.txt
# Otherwise the first training builds them. Where there is no compiler one line says so, and all works without.
echo "set-up: building the CPU kernels for training"
.venv/bin/python -c 'from paddle_portrait import console, kernels; console.setup_logging(); kernels.kernels_ready()'
touch .venv/.installed
