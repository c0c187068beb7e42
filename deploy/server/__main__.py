"""``python -m deploy.server``: see ``--help`` and docs/serving.md."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from paddle_portrait.cli.serve import main

if __name__ == "__main__":
    sys.exit(main())
