"""Write the sample data, or fetch a data set: see `python data/download_data.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paddle_portrait.cli.download_data import main

if __name__ == "__main__":
    sys.exit(main())
