"""``tools/bg_replace.py``: other backgrounds for pictures, videos and cameras."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddle_portrait.cli.bg_replace_flags import build_parser, video_job
from paddle_portrait.console import run_command
from paddle_portrait.errors import UserError

if TYPE_CHECKING:
    from paddle_portrait.effects import Effect, Refiner
    from paddle_portrait.inference import Predictor


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line: 0 when all was done, 1 when a picture could not be read."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _replace(arguments))


def _replace(arguments: argparse.Namespace) -> int:
    if arguments.img_path and (arguments.video_path or arguments.camera):
        raise UserError("--img_path goes alone: pictures and videos are two runs.")
    if arguments.img_path and arguments.preview is not None:
        raise UserError("--preview shows videos and cameras; pictures are in --save_dir.")
    if arguments.bg_img_path and arguments.bg_video_path:
        raise UserError("--bg_img_path and --bg_video_path: give one of them.")
    _require_background("--bg_img_path", arguments.bg_img_path)
    _require_background("--bg_video_path", arguments.bg_video_path)
    if importlib.util.find_spec("av") is None and (not arguments.img_path or arguments.bg_video_path):
        raise UserError('videos need PyAV: pip install "paddle_portrait[video]"')
    effect, refiners = _effect(arguments)
    predictor = _predictor(arguments)
    return (_pictures if arguments.img_path else _videos)(arguments, predictor, effect, refiners)


def _require_background(flag: str, path: str | None) -> None:
    """Refuse a background that is missing before the model is loaded; what is not a plain file is tried later."""
    if path and "://" not in path and "%" not in path and not Path(path).exists():
        raise UserError(f"{flag}: '{path}' does not exist. Name a picture, or with --bg_video_path a video.")


def _effect(arguments: argparse.Namespace) -> tuple[Effect, list[Refiner]]:
    from paddle_portrait.effects import build_effect, build_refiner, split_assignments

    options: dict[str, Any] = split_assignments(arguments.effect_options)
    with_background = arguments.bg_img_path or arguments.bg_video_path
    name = arguments.effect or ("replace" if with_background else "color")
    if not arguments.effect and not with_background:
        options = {"color": "255,255,255", **options}
    return build_effect(name, **options), [build_refiner("pp_humanseg")] if arguments.use_post_process else []


def _predictor(arguments: argparse.Namespace) -> Predictor:
    from paddle_portrait.video.model import load_model

    names = ("config", "model", "backend", "threads", "input_shape", "vertical_screen")
    return load_model(*(getattr(arguments, name) for name in names))


def _pictures(arguments: argparse.Namespace, predictor: Predictor, effect: Effect, refiners: Sequence[Refiner]) -> int:
    from paddle_portrait.inference.inputs import find_images
    from paddle_portrait.video.stills import background_picture, draw_pictures

    images = find_images(arguments.img_path, Path(arguments.save_dir))
    suffix = ".png" if effect.kind.channels == 4 else ".jpg"
    targets = [Path(arguments.save_dir) / f"{image.name}{suffix}" for image in images]
    if len(arguments.output) == len(images) == 1:
        targets = [Path(arguments.output[0])]
    background = background_picture(arguments.bg_img_path or arguments.bg_video_path)
    failed = draw_pictures(images, predictor, effect, background, targets, refiners, not arguments.soft_predict)
    print(f"{len(images) - failed} of {len(images)} pictures written to {targets[0].parent}")
    return 1 if failed else 0


def _videos(arguments: argparse.Namespace, predictor: Predictor, effect: Effect, refiners: Sequence[Refiner]) -> int:
    from paddle_portrait.video.session import VideoSession

    job = video_job(arguments, predictor, effect, refiners)
    if arguments.preview is None:
        report = VideoSession(job).run()
    else:
        from paddle_portrait.video.preview.server import run_with_preview

        report = run_with_preview(job, arguments.preview)
    print(report.table() if arguments.test_speed else report.summary(), *job.outputs, sep="\n", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
