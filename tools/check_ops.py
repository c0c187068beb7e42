"""Which operators of a network a target lacks: see `python tools/check_ops.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paddle_portrait.cli.check_ops import main

if __name__ == "__main__":
    sys.exit(main())
