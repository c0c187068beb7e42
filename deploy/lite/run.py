"""Paddle Lite on this machine: pictures, folders and videos through the effects; see ``--help`` and README.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from paddle_portrait.cli import bg_replace

_VIDEOS = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif", ".m4v"})


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Run a model that was exported with --format paddlelite, in Paddle Lite's own process.",
        epilog="Further flags go to tools/bg_replace.py as they are: --effect_options, --smoothing, --threads, ...",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("input", help="a picture, a folder of pictures, or a video")
    add("--model", required=True, metavar="DIR", help="exported directory, or a zoo name whose export holds paddlelite")
    add("--effect", default="blur", help="blur, replace, color, cutout, ... (default: blur)")
    add("--background", metavar="FILE", help="picture or video behind the person, for effects that need one")
    add("--save_dir", default="output", help="folder of the results (default: output)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments, further = build_parser().parse_known_args(argv)
    is_video = Path(arguments.input).suffix.lower() in _VIDEOS
    flags = ["--video_path" if is_video else "--img_path", arguments.input, "--backend", "paddlelite"]
    flags += ["--model", arguments.model, "--effect", arguments.effect, "--save_dir", arguments.save_dir]
    if arguments.background:
        moving = Path(arguments.background).suffix.lower() in _VIDEOS
        flags += ["--bg_video_path" if moving else "--bg_img_path", arguments.background]
    return bg_replace.main([*flags, *further])


if __name__ == "__main__":
    sys.exit(main())
