"""Judge a trained network: see `python tools/val.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paddle_portrait.cli.val import main

if __name__ == "__main__":
    sys.exit(main())
