"""Get models by name: see `python export_model/download_export_model.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paddle_portrait.cli.download_model import main

if __name__ == "__main__":
    sys.exit(main("export"))
