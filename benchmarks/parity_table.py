"""Six networks in every target: are they still the network that was trained? Writes the table of docs/deploy.md.

python benchmarks/parity_table.py                     # every network, every target
python benchmarks/parity_table.py "PortraitNet 224"   # one network; the others keep their figures
python benchmarks/parity_table.py --format paddlejs   # one target; the others keep theirs
python benchmarks/parity_table.py --table             # the table alone, from the figures that are there

Weights are the released ones where there are any, else random ones from a fixed seed with norms that fit them: an
export computes the same whatever the weights, and rounding shows as well. Each target is exported for itself, so that
one that fails is a row of the table and not the end of it.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _page import write_between
from _record import RESULTS, ROOT, record

NAME = "parity"
SEED = 6
LOGIT_SPREAD = 4.0
# Name in the table: config, and the zoo name of its weights, where they are here.
NETWORKS = {
    "lite (PP-HumanSeg-Lite and MediaPipe)": ("configs/zoo/lite.yml", "lite"),
    "lite_398x224 (the same)": ("configs/zoo/lite_398x224.yml", "lite_398x224"),
    "MediaPipe selfie general": (
        "configs/mediapipe_selfie/mediapipe_selfie_general.yml",
        "mediapipe_selfie_general",
    ),
    "MobileNetV3-small transition": ("configs/mobilenet_v3_transition/mnv3_small_256.yml", "mnv3_small_256"),
    "Slim-Net 512": ("configs/slim_net/slimnet_512.yml", "slimnet_512"),
    "PortraitNet 224": ("configs/portrait_net/portrait_net_224x224_authors.yml", "portrait_net_224"),
}


def prove(config_path: str, weights: str, formats: list[str] | None) -> dict[str, Any]:
    """Export one network to ``formats``, None: all, and return what ``parity.json`` says of each."""
    from paddle_portrait.config import load_config
    from paddle_portrait.engine.trained import input_channels, load_trained
    from paddle_portrait.export import prove_each
    from paddle_portrait.export.options import ExportOptions
    from paddle_portrait.export.targets import exportable_names
    from paddle_portrait.preprocess import Preprocess

    config = load_config(ROOT / config_path)
    released = (ROOT / "pretrained_model" / weights / "model.pdparams").is_file()
    network = load_trained(config, weights) if released else _with_random_weights(config)
    channels = input_channels(config, Preprocess.from_transforms(config.inference_transforms()))
    proofs = prove_each(network, config, formats or exportable_names(), ExportOptions("sigmoid"), channels=channels)
    targets = {name: _as_entry(found) for name, found in proofs.items()}
    return {"config": config_path, "weights": weights if released else f"random, seed {SEED}", "targets": targets}


def _as_entry(found: Any) -> dict[str, Any]:
    from paddle_portrait.export import MissingPackageError

    if isinstance(found, MissingPackageError):
        return {"ran": False, "passed": None, "why": str(found)}
    if isinstance(found, Exception):
        return {"ran": False, "passed": False, "why": str(found)}
    return asdict(found)


def _with_random_weights(config: Any) -> Any:
    """Return the config's network with weights of a fixed seed, and norms that have seen what these weights make."""
    import paddle

    from paddle_portrait.engine.trained import build_network
    from paddle_portrait.preprocess import Preprocess

    paddle.seed(SEED)
    network = build_network(config)
    height, width = Preprocess.from_transforms(config.inference_transforms()).input_size_hw or (192, 192)
    first = next(layer for layer in network.sublayers() if isinstance(layer, paddle.nn.Conv2D))
    network.train()
    with paddle.no_grad():
        for _ in range(12):
            network(paddle.randn([2, first._in_channels, height, width]))
    network.eval()
    _calm(network, paddle.randn([2, first._in_channels, height, width]))
    return network


def _calm(network: Any, noise: Any) -> None:
    """Scale the last convolution so that logits spread as a trained network's do: rounding grows with them."""
    import paddle

    from paddle_portrait.export.operators import list_operators
    from paddle_portrait.models.output import as_seg_output

    with paddle.no_grad():
        spread = float(as_seg_output(network(noise)).logits.std())
    layers = dict(network.named_sublayers())
    last = [layers[one.layer] for one in list_operators(network, noise.shape) if "conv2d" in one.type][-1]
    for value in last.parameters():
        value.set_value(value * min(1.0, LOGIT_SPREAD / spread))


def table(figures: dict[str, Any]) -> str:
    """Return the table of docs/deploy.md: a row a target, a column a network."""
    names = list(dict.fromkeys(name for entry in figures.values() for name in entry["targets"]))
    lines = [f"| target | {' | '.join(figures)} |", "|" + "---|" * (len(figures) + 1)]
    for name in sorted(names):
        cells = [_cell(entry["targets"].get(name)) for entry in figures.values()]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    passed = [sum(one["passed"] is True for one in entry["targets"].values()) for entry in figures.values()]
    lines.append(f"| passed | {' | '.join(map(str, passed))} |")
    return "\n".join(lines)


def _cell(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "left out"
    if entry["passed"] is None:
        return "not run"
    if entry.get("max_abs_diff") is None:
        return "failed"
    figure = f"{entry['max_abs_diff']:.1e}"
    if entry["limited"] == "mask_iou" and entry["mask_iou"] is not None:
        figure = f"IoU {entry['mask_iou']:.4f}"
    return f"{figure}, {entry['bytes'] / 1e3:,.0f} kB" + ("" if entry["passed"] else " **wrong**")


def main() -> None:
    """Export, record, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"networks (default: all of {', '.join(NETWORKS)})")
    parser.add_argument("--format", nargs="+", metavar="FORMAT", help="these targets alone (default: all)")
    parser.add_argument("--table", action="store_true", help="write the table alone")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NETWORKS)
    if unknown:
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(NETWORKS)}")
    earlier = RESULTS / f"{NAME}.json"
    figures = json.loads(earlier.read_text(encoding="utf-8"))["figures"] if earlier.is_file() else {}
    for name in [] if arguments.table else arguments.names or NETWORKS:
        print(name, flush=True)
        found = prove(*NETWORKS[name], arguments.format)
        if arguments.format and name in figures:
            others = figures[name]["weights"]
            if found["weights"] != others:
                raise SystemExit(f"{name}: the figures of its other targets are of {others}; leave --format out")
            found["targets"] = figures[name]["targets"] | found["targets"]
        figures[name] = found
        figures = {key: figures[key] for key in NETWORKS if key in figures}
        record(NAME, figures)
    print(f"written: {write_between('deploy.md', Path(__file__).name, table(figures))}")


if __name__ == "__main__":
    main()
