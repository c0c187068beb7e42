"""The flags of ``tools/bg_replace.py``: those of PP-HumanSeg's program of that name, and ours."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddle_portrait.effects import Effect, Refiner
    from paddle_portrait.inference import Predictor
    from paddle_portrait.video.session import VideoJob

PREVIEW_PORT = 8780


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Replace, blur or cut out the background of pictures, videos and cameras.",
        epilog="Without --img_path and --video_path the first camera is opened.",
    )
    _add_inputs(parser.add_argument_group("model and input").add_argument)
    _add_looks(parser.add_argument_group("what is drawn").add_argument)
    _add_outputs(parser.add_argument_group("output").add_argument)
    return parser


def _add_inputs(add: Callable[..., object]) -> None:
    add("--config", metavar="deploy.yaml", help="deploy.yaml of an exported model")
    add("--model", metavar="NAME|DIR", help="instead: a zoo name or an exported directory (default: the zoo's)")
    add("--backend", default="auto", help="runtime of the model: auto, onnx, paddle, ... (default: auto)")
    add("--threads", type=int, help="threads of one call of the network (default: a quarter of the cores)")
    add("--input_shape", type=int, nargs="+", metavar="SIZE", help="H W (or N C H W) of the network's input")
    add("--vertical_screen", action="store_true", help="upright pictures: swap the sides of a wide network's input")
    add("--img_path", help="a picture, a folder, a glob or a .txt list")
    add("--video_path", action="append", default=[], help="a video or URL; may be repeated")
    add("--camera", type=int, action="append", default=[], metavar="N", help="number of a camera; may be repeated")


def _add_looks(add: Callable[..., object]) -> None:
    add("--bg_img_path", help="picture to put behind the person")
    add("--bg_video_path", "--background_video_path", help="video to put behind the person; it loops")
    add("--effect", help="replace, blur, color, cutout, ... (default: replace with a background, else a white one)")
    add("--effect_options", nargs="+", default=[], metavar="KEY=VALUE", help="options of the effect; refine=NAME,NAME")
    add("--use_post_process", action="store_true", help="PP-HumanSeg's clean-up: only around sure pieces of person")
    add("--use_optic_flow", action="store_true", help="steady the mask along the motion: --smoothing optic_flow")
    add("--smoothing", metavar="NAME", help="temporal filter: optic_flow, exponential, one_euro (default: none)")
    add("--smoothing_options", nargs="+", default=[], metavar="KEY=VALUE", help="its options")
    add("--every", type=int, default=1, metavar="N", help="run the network on each N-th frame; optical flow between")
    soft = "soft edges, which is the default; --no-soft_predict cuts masks at one half"
    add("--soft_predict", action=argparse.BooleanOptionalAction, default=True, help=soft)
    add("--low_latency", action="store_true", help="draw each frame at once, with the last mask that is ready")


def _add_outputs(add: Callable[..., object]) -> None:
    add("--save_dir", default="output", help="folder of the results (default: output)")
    add("--output", action="append", default=[], help="file instead (.mp4 .mov .mkv .webm .gif .apng .webp; none: a "
        "folder of PNG); one for each video")  # fmt: skip
    add("--tile", action="store_true", help="all inputs in one picture, instead of a file for each")
    add("--codec", help="h264, vp9, av1, prores (default: by the suffix)")
    add("--encoder_options", nargs="+", default=[], metavar="KEY=VALUE", help="such as preset=ultrafast crf=23")
    add("--stream", action="append", default=[], metavar="URL", help="rtmp: rtsp: udp: or pipe:1; may be repeated")
    add("--virtual_camera", action="store_true", help="a camera for other programs (pyvirtualcam)")
    add("--preview", type=int, nargs="?", const=PREVIEW_PORT, metavar="PORT", help="a page with the live picture and "
        f"controls, on this machine (default port: {PREVIEW_PORT}); alone, nothing is written")  # fmt: skip
    add("--test_speed", action="store_true", help="print the time of each stage")


def video_job(
    arguments: argparse.Namespace, predictor: Predictor, effect: Effect, refiners: Sequence[Refiner]
) -> VideoJob:
    """Return what is to be done with videos and cameras.

    Raises:
        UserError: the outputs do not fit the inputs.
    """
    from paddle_portrait.effects import split_assignments
    from paddle_portrait.video.session import VideoJob, name_outputs

    job = VideoJob(
        predictor,
        effect,
        videos=arguments.video_path,
        cameras=arguments.camera if arguments.video_path or arguments.camera else [0],
        background=arguments.bg_img_path or arguments.bg_video_path,
        streams=arguments.stream,
        virtual_camera=arguments.virtual_camera,
        tile=arguments.tile,
        refiners=refiners,
        smoothing=arguments.smoothing or ("optic_flow" if arguments.use_optic_flow else "none"),
        smoothing_options=split_assignments(arguments.smoothing_options),
        every=arguments.every,
        hard=not arguments.soft_predict,
        low_latency=arguments.low_latency,
        codec=arguments.codec,
        encoder_options=split_assignments(arguments.encoder_options),
    )
    if arguments.output or arguments.preview is None:
        job.outputs = name_outputs(job, arguments.output, Path(arguments.save_dir))
    return job
