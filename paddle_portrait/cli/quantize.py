"""``tools/quantize.py``: an exported model with fewer bits, added to its directory when it is good enough."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paddle_portrait.console import run_command

if TYPE_CHECKING:
    from paddle_portrait.config import Config
    from paddle_portrait.data.datasets.base import PortraitDataset


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Quantise an exported model; fails when it loses too much. See docs/quantisation.md."
    )
    add = parser.add_argument
    add("--model_dir", required=True, help="exported directory with an onnx target, or a zoo name")
    add("--scheme", default="nncf", help="nncf, minmax, percentile, learned (int8); weights, fp16 (default: nncf)")
    add("--config", help="YAML that names train_dataset (calibration) and val_dataset (default: the zoo name's)")
    add(
        "--model_path",
        help="the network's weights, for rewritten graphs (default: the zoo name's) and for --scheme learned",
    )
    add("--save_dir", help="where a copy of the directory with the new target goes (default: into --model_dir)")
    add("--calibration_images", type=int, default=64, help="photos of one draw (default: 64)")
    add("--draws", type=int, default=3, help="how often they are drawn; the first draw is kept (default: 3)")
    add("--seed", type=int, default=0, help="of the draws (default: 0)")
    add("--keep_float", nargs="+", default=["auto"], metavar="NAME",
        help="layers that stay in float: auto (a scan finds them), none, or their names (default: auto)")  # fmt: skip
    add("--max_miou_drop", type=float, default=0.3, help="points of mIoU that may be lost (default: 0.3)")
    add("--opts", nargs="+", default=[], metavar="KEY=VALUE", help="change keys of the config")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _quantise(arguments))


def _quantise(arguments: argparse.Namespace) -> int:
    from paddle_portrait import zoo
    from paddle_portrait.config import load_config
    from paddle_portrait.errors import UserError

    if min(arguments.calibration_images, arguments.draws) < 1:
        raise UserError("--calibration_images and --draws must be 1 or more.")
    config = load_config(zoo.config_for(arguments.config, arguments.model_dir), arguments.opts)
    model_dir = zoo.find_export(arguments.model_dir)
    released = arguments.model_dir if str(model_dir) != arguments.model_dir else None
    if arguments.save_dir is None and released:
        raise UserError(f"'{arguments.model_dir}' is a released model, which stays as it is: give --save_dir.")

    from paddle_portrait.engine.trained import load_trained
    from paddle_portrait.export.quantisation import Request, describe, quantise

    weights = arguments.model_path or (released if arguments.scheme != "learned" else None)
    outcome = quantise(
        Request(
            model_dir=model_dir,
            save_dir=Path(arguments.save_dir or model_dir),
            scheme=arguments.scheme,
            calibration=_dataset(config, "train_dataset"),
            validation=_dataset(config, "val_dataset"),
            images=arguments.calibration_images,
            draws=arguments.draws,
            seed=arguments.seed,
            keep_float=[] if arguments.keep_float == ["none"] else arguments.keep_float,
            max_miou_drop=arguments.max_miou_drop,
            network=load_trained(config, weights) if weights else None,
        )
    )
    print(f"{arguments.scheme}: {describe(outcome)}")
    return 0


def _dataset(config: Config, section: str) -> PortraitDataset:
    from paddle_portrait.data.datasets.foreign import as_dataset
    from paddle_portrait.errors import UserError
    from paddle_portrait.registry import DATASETS

    if config.get(section) is None:
        raise UserError(
            f"{config.path}: has no {section}. Quantising calibrates on train_dataset, judges on val_dataset."
        )
    if config.is_final(section):
        raise UserError(f"{config.where(f'{section}.final')}: {section} is marked final: nothing may be chosen by it.")
    return as_dataset(DATASETS.build_node(config.component(section)))


if __name__ == "__main__":
    sys.exit(main())
