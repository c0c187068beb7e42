"""How steady, how right and how late masks of videos are: see `python tools/val_video.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paddle_portrait.cli.val_video import main

if __name__ == "__main__":
    sys.exit(main())
