"""Label photos by the agreement of several models: see `python tools/pseudo_label.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paddle_portrait.cli.pseudo_label import main

if __name__ == "__main__":
    sys.exit(main())
