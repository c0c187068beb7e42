"""``tools/val_video.py``: how steady, how right and how late the masks of a video are."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from paddle_portrait.console import run_command

_EPILOG = """
With truth (--sequence): dtSSD, MESSDdt, person IoU, MAE. Without (--video): warping error, mask instability. On
made-up clips, always: late, the frames after a cut and from the start of a fast move whose mask is worse than the
network's own answer to them. A mask that never moves is perfectly steady, and late in every frame."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="val_video.py",
        description="Judge masks of videos: flicker, error and lag, for a model alone and with temporal filters.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", metavar="NAME|DIR", help="a zoo name or an exported directory (default: the zoo's)")
    add("--backend", default="auto", help="runtime of the model (default: auto)")
    add("--video", "--video_path", action="append", default=[], metavar="FILE", help="a video; may be repeated")
    add("--sequence", action="append", default=[], metavar="DIR", help="frames with truth: DIR/images and DIR/masks")
    add("--smoothing", nargs="+", default=[], metavar="NAME", help="temporal filters (default: all)")
    add("--smoothing_options", nargs="+", default=[], metavar="KEY=VALUE", help="options of the one that is named")
    add("--every", type=int, default=1, metavar="N", help="also with the network on each N-th frame only")
    add("--frames", type=int, default=150, help="at most so many of each clip (default: 150)")
    add("--save_dir", default="output/val_video", help="folder of report.json (default: output/val_video)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _judge(arguments))


def _judge(arguments: argparse.Namespace) -> int:
    from paddle_portrait.effects import split_assignments
    from paddle_portrait.errors import UserError
    from paddle_portrait.report.clips import cut_clip, fast_move_clip, labelled_clip, video_clip
    from paddle_portrait.report.steadiness import compare, setups_of, table
    from paddle_portrait.video.model import load_model
    from paddle_portrait.video.smoothing import FILTERS
    from paddle_portrait.video.smoothing.steady import check_every

    if arguments.smoothing_options and len(arguments.smoothing) != 1:
        raise UserError("--smoothing_options belong to one filter: name it with --smoothing.")
    if arguments.frames < 2:
        raise UserError(f"--frames must be 2 or more, not {arguments.frames}.")
    predictor = load_model(model=arguments.model, backend=arguments.backend)
    setups = setups_of(
        arguments.smoothing or FILTERS.own_names(),
        split_assignments(arguments.smoothing_options),
        check_every(arguments.every),
        predictor.takes_prior,
    )
    clips = [labelled_clip(folder, arguments.frames) for folder in arguments.sequence]
    clips += [video_clip(path, arguments.frames) for path in arguments.video]
    figures = compare(predictor, [*clips, cut_clip(), fast_move_clip()], setups)
    report = Path(arguments.save_dir, "report.json")
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps({"model": str(predictor.directory), "clips": figures}, indent=1) + "\n", "utf-8")
    print(table(figures))
    print(f"report: {report}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
