"""What pruning costs: a released network with fewer multiply-adds, before and after a short fine-tuning.

python benchmarks/pruning.py [--ratio 0.3] [--iters 400]

A training of one stage prunes MediaPipe's selfie network and trains it on with the portraits of data/, at 256x256.
Judged on picsart/val: as released, pruned alone, pruned and trained on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _record import ROOT, record

CONFIG, WEIGHTS = ROOT / "configs/mediapipe_selfie/mediapipe_selfie_general.yml", "mediapipe_selfie_general"
# The rate is five times that of fine-tuning the whole network: what is left of it has to move.
STAGE = """
_base_: {base}
save_interval: {iters}
model: {{logit_scale: 0.05}}
lr_scheduler: {{learning_rate: 5.0e-4, warmup_iters: {warmup}}}
ema: {{decay: 0.98}}
stages:
  - {{name: pruned, iters: {iters}, prune: {{ratio: {ratio}}}}}
"""


def run(tool: str, *arguments: str) -> None:
    """Run one of the tools; stop where it fails."""
    subprocess.run([sys.executable, f"tools/{tool}.py", *arguments], cwd=ROOT, check=True)


def judge(weights: str) -> dict[str, Any]:
    """Return size and accuracy of a network."""
    from paddle_portrait.analysis import analyse
    from paddle_portrait.config import load_config
    from paddle_portrait.data.datasets.foreign import as_dataset
    from paddle_portrait.engine.evaluator import evaluate
    from paddle_portrait.engine.trained import load_trained
    from paddle_portrait.registry import DATASETS

    config = load_config(CONFIG)
    network = load_trained(config, weights)
    sums = analyse(network, (1, 3, 256, 256)).sums()
    dataset = as_dataset(DATASETS.build_node(config.component("val_dataset")))
    summary = evaluate(network, dataset, batch_size=4).summary
    measured = {measure: round(float(summary[measure]), 4) for measure in ("miou", "person_iou", "boundary_iou")}
    return {"params": sums["params"], "macs": sums["macs"], **measured}


def main() -> None:
    """Prune, train on, judge, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ratio", type=float, default=0.3, help="share of the multiply-adds to remove (default: 0.3)")
    parser.add_argument("--iters", type=int, default=400, help="iterations of fine-tuning (default: 400)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config, pruned = Path(folder) / "pruning.yml", f"{folder}/pruned"
        values = {"ratio": arguments.ratio, "iters": arguments.iters, "warmup": arguments.iters // 10}
        config.write_text(STAGE.format(base=CONFIG, **values), encoding="utf-8")
        run("prune", "--model_path", WEIGHTS, "--ratio", str(arguments.ratio), "--save_dir", pruned)
        started = time.perf_counter()
        run("train", "--config", str(config), "--save_dir", f"{folder}/run")
        seconds = round(time.perf_counter() - started)
        tuned = f"{folder}/run/pruned/iter_{arguments.iters}"
        figures = {name: judge(path) for name, path in {"whole": WEIGHTS, "pruned": pruned, "tuned": tuned}.items()}
    about = {"network": WEIGHTS, "photos": "picsart/val", "iterations": arguments.iters, "training_s": seconds}
    record("pruning", {**about, **figures})


if __name__ == "__main__":
    main()
