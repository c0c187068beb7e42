"""Take whole channels out of a trained network: see `python tools/prune.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paddle_portrait.cli.prune import main

if __name__ == "__main__":
    sys.exit(main())
