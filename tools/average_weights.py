"""Average trained weights: see `python tools/average_weights.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paddle_portrait.cli.average_weights import main

if __name__ == "__main__":
    sys.exit(main())
