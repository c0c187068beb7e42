"""How quick and how large exported models are: see `python tools/benchmark.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_portrait.cli.benchmark import main

if __name__ == "__main__":
    sys.exit(main())
