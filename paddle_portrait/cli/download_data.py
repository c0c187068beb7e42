"""``data/download_data.py``: write the sample data, or fetch a data set by its address and checksum."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

_EPILOG = """
Without arguments the samples are written into data/: mini_portraits/ (images, masks, train.txt, val.txt, test.txt),
human_image.jpg, background.jpg, background.mp4 and video_test.mp4. They come from a generator: no real person is shown.
What is there already is kept.

A data set of others: download_data.py --url https://HOST/set.zip --sha256 SUM --to data/name
"""
_PARTS = ("portraits", "images", "videos")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="download_data.py",
        description="Write sample portraits, or fetch a data set.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("parts", nargs="*", metavar="PART", help=f"which samples: {', '.join(_PARTS)}, or samples for all (default)")
    add("--count", type=int, default=400, help="pictures in mini_portraits (default: 400)")
    add("--seed", type=int, default=0, help="the same seed gives the same pictures (default: 0)")
    add("--size", default="192x256", metavar="WxH", help="width x height of the pictures (default: 192x256)")
    add("--out", default=None, metavar="DIR", help="where the samples go (default: the repository's data/)")
    add("--url", help="fetch this zip, tar or single file instead of writing samples")
    add("--sha256", metavar="SUM", help="its checksum; needed with --url")
    add("--to", metavar="DIR", help="the folder that it becomes; needed with --url")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    from paddle_portrait.console import run_command

    return run_command(lambda: _fetch(arguments) if arguments.url else _write(arguments))


def _fetch(arguments: argparse.Namespace) -> int:
    from paddle_portrait.console import logger
    from paddle_portrait.errors import UserError
    from paddle_portrait.zoo.download import fetch_into

    if not arguments.sha256 or not arguments.to:
        raise UserError("--url needs --sha256 SUM (what the file must be) and --to DIR (the folder that it becomes).")
    if arguments.parts:
        raise UserError(f"--url fetches one file; it does not go together with {' '.join(arguments.parts)}.")
    fetched = fetch_into(arguments.url, arguments.to, arguments.sha256)
    logger.info("%s: %s", arguments.to, "fetched" if fetched else "kept, it came from this file")
    return 0


def _write(arguments: argparse.Namespace) -> int:
    from paddle_portrait.data.synthesis.samples import write_images, write_videos
    from paddle_portrait.data.synthesis.writer import write_portraits
    from paddle_portrait.errors import UserError

    if arguments.sha256 or arguments.to:
        raise UserError("--sha256 and --to belong to --url URL, which is missing.")
    parts = _chosen(arguments.parts)
    out = Path(arguments.out) if arguments.out else Path(__file__).resolve().parents[2] / "data"
    if "portraits" in parts:
        write_portraits(out / "mini_portraits", arguments.count, arguments.seed, _size_hw(arguments.size))
    if "images" in parts:
        write_images(out, arguments.seed)
    if "videos" in parts:
        write_videos(out, arguments.seed, required="videos" in arguments.parts)
    return 0


def _chosen(parts: list[str]) -> tuple[str, ...]:
    from paddle_portrait.errors import UserError, describe_unknown

    for part in parts:
        if part not in (*_PARTS, "samples"):
            raise UserError(describe_unknown("part", part, (*_PARTS, "samples")))
    return _PARTS if not parts or "samples" in parts else tuple(parts)


def _size_hw(text: str) -> tuple[int, int]:
    from paddle_portrait.errors import UserError

    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise UserError(f"--size is '{text}'; write width x height, for example 192x256.")
    return int(height), int(width)
