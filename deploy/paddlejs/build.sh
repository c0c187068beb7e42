#!/bin/sh
# Build the web page into deploy/paddlejs/dist: `make web`. MODEL=name takes another released model.
set -eu
cd "$(dirname "$0")"

major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
if [ "${major:-0}" -lt 20 ] || ! command -v npm >/dev/null 2>&1; then
    echo "error: the web page is built with Node.js 20 or later and npm; found: $(node --version 2>/dev/null || echo none)." >&2
    echo "Install them (Debian 13, Ubuntu 24.10 and later: sudo apt-get install nodejs npm; elsewhere nodejs.org)." >&2
    exit 3
fi

if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
    touch node_modules/.package-lock.json
fi
../../.venv/bin/python prepare_model.py ${MODEL:-}
npx vite build --logLevel warn
echo "built: deploy/paddlejs/dist ($(du -sh dist | cut -f1)). Look at it: python3 -m http.server --directory deploy/paddlejs/dist"
