"""Other backgrounds for pictures, videos and cameras: see `python tools/bg_replace.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paddle_portrait.cli.bg_replace import main

if __name__ == "__main__":
    sys.exit(main())
