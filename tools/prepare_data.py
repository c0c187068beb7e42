"""Turn data sets of others into images, masks and lists: see ``python tools/prepare_data.py --help``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_portrait.cli.prepare_data import main

if __name__ == "__main__":
    sys.exit(main())
