"""``tools/release_model.py``: from weights in pretrained_model/ to a released model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from paddle_portrait.console import run_command

_EPILOG = """
For each NAME, pretrained_model/NAME/model.pdparams becomes export_model/NAME (ONNX, and of weights
trained here what their config's export section says), its
answers to generated portraits become tests/golden/NAME.json, and its sums an entry of the table of released models.
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="release_model.py",
        description="Release weights under a zoo name: export, prove, remember.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="zoo names")
    add("--all", action="store_true", help="every zoo name whose weights are there")
    add("--weights_only", action="store_true", help="prove the export, but do not keep it: for large networks")
    add("--config", help="YAML of the network (default: that of the recipe that converted the weights)")
    add("--formats", nargs="+", help="targets of the export, onnx among them (default: those of the config)")
    add("--licence", help="of the weights (default: the recipe's)")
    add("--source", help="where the weights come from: an address, or the command that trained them")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _release(arguments))


def _release(arguments: argparse.Namespace) -> int:
    from paddle_portrait import zoo
    from paddle_portrait.errors import UserError

    if bool(arguments.names) == arguments.all:
        raise UserError("say what to release: zoo names, or --all.")
    named = [f"--{key}" for key in ("config", "formats", "licence", "source") if getattr(arguments, key)]
    if named and len(arguments.names) != 1:
        raise UserError(f"{', '.join(named)} belong to one model: name one.")
    present = [name for name in zoo.NAMES if zoo.weights_file(name).is_file()]

    from paddle_portrait.export.release import plan_of, release

    for name in present if arguments.all else arguments.names:
        plan = plan_of(name, arguments.config, arguments.licence, arguments.source, arguments.formats)
        entry = release(plan, Path(__file__).resolve().parents[2], weights_only=arguments.weights_only)
        print(f"{name}: {entry.weights.bytes} bytes of weights, {sum(f.bytes for f in entry.export.values())} exported")
    return 0


if __name__ == "__main__":
    sys.exit(main())
