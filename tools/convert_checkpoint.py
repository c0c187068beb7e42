"""Convert weights of other frameworks: see `python tools/convert_checkpoint.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paddle_portrait.cli.convert_checkpoint import main

if __name__ == "__main__":
    sys.exit(main())
