"""Images per second of training on our CPU kernels and on Paddle's own, network by network.

python benchmarks/kernel_training_speed.py               # six networks, one process each, a quarter of an hour
python benchmarks/kernel_training_speed.py slimnet_512   # one; the others keep their figures

Each trains with its own recipe's input size, loss and optimizer, from random weights on generated portraits, kernels
and stock in turns. Writes a table of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from _page import write_between
from _phases import PHASES
from _record import RESULTS, ROOT, record
from training_speed import median_of, ours

sys.path.insert(0, str(ROOT))
NAME = "kernel_training_speed"
CONFIGS = {
    "pp_humanseg_v1_lite_192": "pp_humanseg/lite_192x192_portraits.yml",
    "mnv3_small_256": "mobilenet_v3_transition/mobilenet_v3_transition_256x256_portraits.yml",
    "mediapipe_selfie_general": "mediapipe_selfie/mediapipe_selfie_256x256_portraits.yml",
    "sinet_320": "sinet/sinet_320.yml",
    "slimnet_512": "slim_net/slim_net_512x512_portraits.yml",
    "portrait_net_224": "portrait_net/portrait_net_224x224_portraits.yml",
}
PHOTOS = ROOT / "data" / "mini_portraits"


def write_config(name: str, folder: Path, batch_size: int, iterations: int) -> Path:
    """Write the network's recipe with generated portraits for its photos."""
    from paddle_portrait.config import load_config

    config = load_config(ROOT / "configs" / CONFIGS[name]).to_dict()
    dataset = {"type": "Dataset", "mode": "train", "dataset_root": str(PHOTOS), "num_classes": 2}
    dataset |= {"train_path": str(PHOTOS / "train.txt"), "cache_mb": 400}
    recipe = config["train_dataset"]
    config["train_dataset"] = dataset | {key: recipe[key] for key in recipe if key.endswith("transforms")}
    config["model"].pop("pretrained", None)
    for key in ("stages", "ema", "val_dataset", "test_dataset", "epochs"):
        config.pop(key, None)
    config |= {"batch_size": batch_size, "iters": iterations}
    path = folder / f"{name}.yml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def measure(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train on both kinds of kernels in turns."""
    runs: dict[str, list[dict[str, Any]]] = {"stock": [], "kernels": []}
    with tempfile.TemporaryDirectory() as scratch:
        config = write_config(name, Path(scratch), arguments.batch_size, arguments.iters)
        for _ in range(arguments.repeats):
            for kind, wanted in (("stock", "false"), ("kernels", "auto")):
                runs[kind].append(ours(config, 0, arguments.warm_up, Path(scratch), kernels=wanted))
    figures: dict[str, Any] = {kind: median_of(measured) for kind, measured in runs.items()}
    speeds = [figures[kind]["images_per_second"] for kind in ("kernels", "stock")]
    return {**figures, "ratio": round(speeds[0] / speeds[1], 2)}


def table(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    head = ["network", "stock, images/s", "kernels, images/s", "times as fast", f"ms a step ({' / '.join(PHASES)})"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name, entry in figures.items():
        steps = [
            " / ".join(f"{entry[kind]['ms_per_iteration'][phase]:.0f}" for phase in PHASES)
            for kind in ("stock", "kernels")
        ]
        speeds = [f"{entry[kind]['images_per_second']:.1f}" for kind in ("stock", "kernels")]
        lines.append(f"| `{name}` | {' | '.join(speeds)} | {entry['ratio']:.2f} | {' → '.join(steps)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, record, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CONFIGS)} (default: all)")
    parser.add_argument("--table", action="store_true", help="write the table alone, from the figures that are there")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--iters", type=int, default=16)
    parser.add_argument("--warm_up", type=int, default=4, help="first iterations that do not count")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(CONFIGS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    file = RESULTS / f"{NAME}.json"
    figures = json.loads(file.read_text(encoding="utf-8"))["figures"] if file.is_file() else {}
    for name in [] if arguments.table else arguments.names or CONFIGS:
        figures[name] = measure(name, arguments)
        print(f"{name}: {figures[name]['ratio']} times as fast", flush=True)
        record(NAME, figures)
    print(f"written: {write_between('benchmarks.md', f'{NAME}.py', table(figures))}")


if __name__ == "__main__":
    main()
