"""``tools/predict.py``: segment pictures with a checkpoint or an exported model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from paddle_portrait.cli.effect_flags import add_effect_flags, drawing_of
from paddle_portrait.console import run_command
from paddle_portrait.errors import UserError

# Flags that change how a checkpoint is run; an exported graph is run as it is.
_OPTIONS = ("aug_eval", "scales", "flip_horizontal", "flip_vertical", "is_slide", "crop_size", "stride")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Segment pictures: writes probability, mask, overlay and cut-out of each, at its own size."
    )
    add = parser.add_argument
    add("--image_path", required=True, help="a picture, a folder (searched to its depth), a glob, or a .txt list")
    add("--save_dir", default="output/result", help="folder of the results (default: output/result)")
    add("--config", help="YAML config of a checkpoint")
    add("--model_path", help="its weights: a .pdparams file, a checkpoint directory or a zoo name")
    add("--model", metavar="DIR|NAME", help="instead: an exported directory or a zoo name")
    add("--backend", help="runtime of an exported model: auto, onnx, paddle, ... (default: auto)")
    add("--threads", type=int, help="threads of an exported model's runtime (default: the runtime's)")
    add("--custom_color", type=int, nargs="+", metavar="N", help="R G B of background, R G B of person")
    add("--aug_eval", action="store_true", default=None, help="average over --scales and flips")
    add("--scales", type=float, nargs="+", help="factors of the network's input size (default: 1.0)")
    add("--flip_horizontal", action="store_true", default=None, help="with --aug_eval: mirrored too")
    add("--flip_vertical", action="store_true", default=None, help="with --aug_eval: upside down too")
    add("--is_slide", action="store_true", default=None, help="run windows of --crop_size every --stride pixels")
    add("--crop_size", type=int, nargs=2, metavar=("W", "H"), help="width and height of a window")
    add("--stride", type=int, nargs=2, metavar=("W", "H"), help="steps between windows")
    add("--device", help="of a checkpoint: cpu, gpu, gpu:N (default: a GPU where Paddle drives one, else the CPU)")
    add("--opts", nargs="+", default=[], metavar="KEY=VALUE", help="change keys of the config")
    add_effect_flags(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line: 0 when every picture was segmented, 1 when one could not be."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _predict(arguments))


def _predict(arguments: argparse.Namespace) -> int:
    from paddle_portrait.inference.files import parse_colours, predict_files
    from paddle_portrait.inference.inputs import find_images

    save_dir = Path(arguments.save_dir)
    colours = parse_colours(arguments.custom_color)
    drawing = drawing_of(arguments)
    images = find_images(arguments.image_path, save_dir)
    predict = _checkpoint(arguments) if arguments.config or arguments.model_path else _export(arguments)
    summary = predict_files(predict, images, save_dir, colours, drawing)
    print(f"{len(summary.written)} of {len(images)} pictures segmented; results in {save_dir}")
    print(*(f"failed: {reason}\n" for reason in summary.failed.values()), sep="", end="", file=sys.stderr)
    return 1 if summary.failed else 0


def _export(arguments: argparse.Namespace) -> Callable[[Any], Any]:
    from paddle_portrait import zoo
    from paddle_portrait.inference import Predictor

    _refuse(arguments, (*_OPTIONS, "device", "opts"), "an exported model; give --config and --model_path instead")
    model = arguments.model or zoo.default_export()
    return Predictor.load(model, arguments.backend or "auto", arguments.threads)


def _checkpoint(arguments: argparse.Namespace) -> Callable[[Any], Any]:
    from paddle_portrait.config import load_config
    from paddle_portrait.zoo import config_for

    _refuse(arguments, ("model", "backend", "threads"), "a checkpoint; leave out --config and --model_path instead")
    config = load_config(config_for(arguments.config, arguments.model_path), arguments.opts)
    config.require("predict")

    from paddle_portrait.engine.environment import choose_device
    from paddle_portrait.engine.inferring import PredictOptions
    from paddle_portrait.engine.trained import TrainedPredictor

    flags = {name: getattr(arguments, name) for name in _OPTIONS if getattr(arguments, name) is not None}
    options = PredictOptions.from_mapping({**config.get("test_config", {}), **flags})
    choose_device(arguments.device, config.get("global.device"))
    return TrainedPredictor.load(config, arguments.model_path, options)


def _refuse(arguments: argparse.Namespace, flags: Sequence[str], what: str) -> None:
    if given := [f"--{flag}" for flag in flags if getattr(arguments, flag)]:
        raise UserError(f"{', '.join(given)} cannot be used with {what}.")


if __name__ == "__main__":
    sys.exit(main())
