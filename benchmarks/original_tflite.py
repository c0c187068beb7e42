"""Our exports of MediaPipe's selfie networks beside LiteRT (XNNPACK) on the original files, one thread, in turns.

python benchmarks/original_tflite.py
python benchmarks/original_tflite.py --table  # the table alone, from the figures that are there

Needs data/checkpoints (data/README.md) and ai-edge-litert. Processor time, ONNX Runtime and OpenVINO in float32.
Ratios above 1 are quicker than LiteRT. The difference is the largest of a probability, on noise. Writes a table of
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from _exports import exported
from _page import write_between
from _record import RESULTS, ROOT, record

sys.path.insert(0, str(ROOT))
NAME = "original_tflite"
FILES = {
    "mediapipe_selfie_general": "selfie_segmentation.tflite",
    "mediapipe_selfie_landscape": "selfie_segmentation_landscape.tflite",
}
FORMATS = ("onnx", "openvino")
TURNS = 200


def measure(name: str, file: Path) -> dict[str, Any]:
    """Time one network everywhere."""
    from ai_edge_litert.interpreter import Interpreter

    from paddle_portrait.inference import Predictor

    original = Interpreter(model_path=str(file), num_threads=1)
    original.allocate_tensors()
    place, result = original.get_input_details()[0]["index"], original.get_output_details()[0]["index"]
    folder, missing = exported(name, FORMATS)
    here = [target for target in FORMATS if target not in missing]
    predictors = {target: Predictor.load(folder, target, threads=1) for target in here}
    shape = (1, 3, *predictors["onnx"].usual_size_hw)
    noise = np.random.default_rng(0).random(shape, np.float32)
    last = noise.transpose(0, 2, 3, 1).copy()

    def by_litert() -> np.ndarray:
        original.set_tensor(place, last)
        original.invoke()
        return original.get_tensor(result)[..., 0]

    calls = {"litert": by_litert}
    for target, predictor in predictors.items():
        calls[target] = lambda predictor=predictor: predictor.person_at_network_size(noise)
    times: dict[str, list[float]] = {target: [] for target in calls}
    answers = {}
    for _ in range(TURNS):
        for target, call in calls.items():
            started = time.process_time()
            answers[target] = call()
            times[target].append(1000 * (time.process_time() - started))
    spent = {target: round(float(np.median(values)), 2) for target, values in times.items()}
    return {
        "ms": spent,
        "times_litert": {target: round(spent["litert"] / value, 2) for target, value in spent.items()},
        "max_abs_diff": {target: float(np.abs(answers[target] - answers["litert"]).max()) for target in here},
        "missing": missing,
    }


def table(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    head = ["network", "LiteRT, ms", "ONNX Runtime, ms", "times as fast", "OpenVINO, ms", "times as fast"]
    lines = [f"| {' | '.join([*head, 'largest difference'])} |", "|" + "---|" * (len(head) + 1)]
    for name, entry in figures.items():
        cells = [f"`{name}`", f"{entry['ms']['litert']:.2f}"]
        for target in FORMATS:
            there = target in entry["ms"]
            cells += [f"{entry['ms'][target]:.2f}", f"{entry['times_litert'][target]:.2f}"] if there else ["–", "–"]
        cells.append(f"{max(entry['max_abs_diff'].values()):.0e}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, record, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="write the table alone")
    if not parser.parse_args().table:
        folder = ROOT / "data" / "checkpoints" / "mediapipe_selfie"
        if not folder.is_dir():
            raise SystemExit("data/checkpoints is missing: see data/README.md")
        record(NAME, {name: measure(name, folder / file) for name, file in FILES.items()})
    figures = json.loads((RESULTS / f"{NAME}.json").read_text(encoding="utf-8"))["figures"]
    print(f"written: {write_between('benchmarks.md', f'{NAME}.py', table(figures))}")


if __name__ == "__main__":
    main()
