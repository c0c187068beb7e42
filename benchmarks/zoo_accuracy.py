"""Accuracy of the released weights, each as its authors feed it, on eg1800/test and picsart/val.

python benchmarks/zoo_accuracy.py            # every released model whose weights are here
python benchmarks/zoo_accuracy.py sinet_320  # one; the others keep their figures

One protocol for all: the config's own preprocessing, the person's probability brought back bilinearly to the label's
size, threshold 0.5, the metrics of tools/val.py. Other authors' weights were not chosen by these photos, so looking
at the final split again cannot favour them; of our own, each has its one look, recorded in its model card.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from _record import RESULTS, ROOT, record

NAME = "zoo_accuracy"
SPLITS = {"eg1800_test": "test_dataset", "picsart_val": "val_dataset"}
MEASURES = ("miou", "person_iou", "person_iou_mean", "boundary_iou", "pixel_accuracy", "mae", "images")


def config_of(name: str) -> Path:
    """Return the config of a released model: the one file of that name below configs."""
    found = sorted((ROOT / "configs").glob(f"*/{name}.yml"))
    if len(found) != 1:
        raise SystemExit(f"expected one configs/*/{name}.yml, found {len(found)}")
    return found[0]


def judge(name: str) -> dict[str, Any]:
    """Return one released model's figures on both sets of photos."""
    from paddle_portrait.config import load_config
    from paddle_portrait.engine.trained import load_trained
    from paddle_portrait.report.model_card import file_sha256
    from paddle_portrait.zoo import find_weights

    config = load_config(config_of(name))
    network = load_trained(config, name)
    figures: dict[str, Any] = {"config": config_of(name).relative_to(ROOT).as_posix()}
    figures["weights_sha256"] = file_sha256(find_weights(name))
    for split, section in SPLITS.items():
        node = {key: value for key, value in config[section].items() if key != "final"}
        figures[split] = measured(network, node, MEASURES)
    return figures


def measured(network: Any, node: dict[str, Any], measures: tuple[str, ...]) -> dict[str, float]:
    """Return a network's figures on the data set that ``node`` describes."""
    from paddle_portrait.data.datasets.foreign import as_dataset
    from paddle_portrait.engine.evaluator import evaluate
    from paddle_portrait.registry import DATASETS

    summary = evaluate(network, as_dataset(DATASETS.build_node(node)), batch_size=4).summary
    return {measure: round(float(summary[measure]), 4) for measure in measures}


def write_card(name: str, figures: dict[str, Any]) -> None:
    """Put the figures of a model under the heading of its card that a new conversion leaves as it is."""
    card = ROOT / "pretrained_model" / name / "MODEL_CARD.md"
    head = card.read_text(encoding="utf-8").split("\n## Figures\n")[0]
    rows = [
        "| {} | {images:.0f} | {miou:.4f} | {person_iou:.4f} | {boundary_iou:.4f} |".format(split, **figures[split])
        for split in SPLITS
    ]
    table = "\n".join(["| photos | images | mIoU | person IoU | boundary IoU |", "|---|---|---|---|---|", *rows])
    command = f"`python benchmarks/zoo_accuracy.py {name}`"
    card.write_text(f"{head}\n## Figures\n\nOf these weights as released, by {command}.\n\n{table}\n", encoding="utf-8")


def main() -> None:
    """Judge, record, and write the cards."""
    from paddle_portrait import zoo

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="zoo names (default: all whose weights are here)")
    arguments = parser.parse_args()
    here = [name for name in zoo.NAMES if (ROOT / "pretrained_model" / name / "model.pdparams").is_file()]
    earlier = RESULTS / f"{NAME}.json"
    figures = json.loads(earlier.read_text(encoding="utf-8"))["figures"] if earlier.is_file() else {}
    for name in arguments.names or here:
        figures[name] = judge(name)
        write_card(name, figures[name])
    record(NAME, {name: figures[name] for name in zoo.NAMES if name in figures})


if __name__ == "__main__":
    main()
