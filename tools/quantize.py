"""Quantise an exported model: see `python tools/quantize.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_portrait.cli.quantize import main

if __name__ == "__main__":
    sys.exit(main())
