"""Child of growth.py: one measurement in a process of its own, so that its peak memory is its own.

python _growth_child.py OUT.json training CONFIG SAVE_DIR     # start, median step and memory of a short training
python _growth_child.py OUT.json prediction MODEL_DIR PIXELS  # a call of Predictor on a picture of so many pixels
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from _record import ROOT, peak_mib

sys.path.insert(0, str(ROOT))
CALLS = 5


def training(config_file: str, save_dir: str) -> dict[str, float]:
    """Build a trainer from a config and let it do a few steps."""
    from _short_training import train

    measured = train(config_file, save_dir, warm_up=4)
    return {key: measured[key] for key in ("seconds_to_start", "step_ms")}


def prediction(directory: str, pixels: str) -> dict[str, float]:
    """Predict one picture several times."""
    import numpy as np

    from paddle_portrait.inference import Predictor

    side = round(float(pixels) ** 0.5)
    picture = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    predictor = Predictor.load(directory, "onnx", threads=1)
    before = peak_mib()
    seconds = []
    for _ in range(CALLS):
        started = time.perf_counter()
        predictor(picture)
        seconds.append(time.perf_counter() - started)
    return {"ms": 1000 * statistics.median(seconds), "mib_before": float(before or 0)}


if __name__ == "__main__":
    figures = {"training": training, "prediction": prediction}[sys.argv[2]](*sys.argv[3:])
    figures["peak_mib"] = float(peak_mib() or 0)
    Path(sys.argv[1]).write_text(json.dumps({key: round(value, 2) for key, value in figures.items()}))
