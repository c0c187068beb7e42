# Functions for the scripts that make environments of another Python than the main one. Sourced, not run.

# find_python NAMED VERSION...: print an interpreter of one of the versions, or NAMED if that is given and is one.
find_python() {
    named=$1
    shift
    wanted="$*"
    # A name on the PATH may be a shim that does not run, so each candidate is run, not looked up.
    list_pythons "$named" "$@" | while IFS= read -r candidate; do
        if "$candidate" -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] not in sys.argv[1:])' $wanted >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            break
        fi
    done
}

list_pythons() {
    if [ -n "$1" ]; then
        printf '%s\n' "$1"
        return
    fi
    shift
    for version in "$@"; do
        printf '%s\n' "python$version"
        # Where pyenv, uv, conda, Python's container images and hand-made installations keep theirs.
        for path in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python \
            "${UV_PYTHON_INSTALL_DIR:-$HOME/.local/share/uv/python}/cpython-$version".*/bin/python3 \
            "$HOME"/*conda3/envs/*/bin/"python$version" "$HOME"/*conda3/bin/"python$version" \
            "/opt/python/cp${version%.*}${version#*.}"-*/bin/python \
            "/usr/local/bin/python$version" "/opt/python$version/bin/python$version"; do
            if [ -x "$path" ]; then printf '%s\n' "$path"; fi
        done
    done
    printf 'python3\npython\n'
}

# fill_env TARGET ENV PYTHON REQUIREMENT...: make the environment ENV anew and install into it. The script that sources
# this has a function `works`, which prints what is there, or fails. Leaves nothing behind that does not work.
fill_env() {
    target=$1 env=$2 python=$3
    shift 3
    echo "$target: $("$python" --version 2>&1) -> $env"
    rm -rf "$env"
    # Debian's Python lacks ensurepip where python3-venv is missing.
    if ! "$python" -m venv "$env" >/dev/null 2>&1; then
        rm -rf "$env"
        echo "error: '$python -m venv' fails. Install its venv module (Debian, Ubuntu: python3-venv), or name another Python." >&2
        exit 3
    fi
    PIP_DISABLE_PIP_VERSION_CHECK=1 "$env/bin/python" -m pip install --quiet "$@" || {
        rm -rf "$env"
        echo "error: $* could not be installed into $env (above: what pip said)." >&2
        exit 1
    }
    made=$(works) || {
        rm -rf "$env"
        echo "error: $* was installed into $env but cannot be imported there." >&2
        exit 1
    }
    echo "$target: $env is ready: $made"
}
