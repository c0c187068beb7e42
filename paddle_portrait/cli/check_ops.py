"""``tools/check_ops.py``: what export targets lack of a network, before it is trained."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from paddle_portrait.console import run_command

if TYPE_CHECKING:
    from paddle import nn

    from paddle_portrait.config import Config


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Say which operators of a network a target lacks or runs wrongly, in which layers, and what to use "
        "in their place. Needs no weights. Exit code 1 when anything was found."
    )
    add = parser.add_argument
    add("--config", required=True, help="YAML config of the network")
    add("--format", nargs="+", metavar="NAME", help="targets, with spaces or commas (default: all)")
    add("--input_shape", type=int, nargs="+", metavar="SIZE", help="H W or N C H W (default: the config's)")
    add("--run", action="store_true", help="also export random weights to every target and compare what it answers")
    add("--opts", nargs="+", default=[], metavar="KEY=VALUE", help="change keys of the config")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _check(arguments))


def _check(arguments: argparse.Namespace) -> int:
    from paddle_portrait.config import load_config
    from paddle_portrait.engine.trained import build_network, input_channels
    from paddle_portrait.errors import UserError
    from paddle_portrait.export.choices import settle_input_shape
    from paddle_portrait.export.operator_check import check_operators, describe_findings
    from paddle_portrait.export.targets import check_formats, exportable_names
    from paddle_portrait.preprocess import Preprocess

    named = [name for part in arguments.format or () for name in part.split(",") if name]
    formats = named or exportable_names()
    check_formats(formats)
    config = load_config(arguments.config, arguments.opts)
    config.require("export")
    preprocess = Preprocess.from_transforms(config.inference_transforms())
    channels = input_channels(config, preprocess)
    shape = settle_input_shape(arguments.input_shape, preprocess.input_size_hw, channels)
    if -1 in shape:
        raise UserError("the config's transforms end in no fixed size. Give one: --input_shape H W.")
    network = build_network(config)
    findings = check_operators(network, shape, formats)
    print(describe_findings(findings, formats))
    wrong = _run(network, config, shape, formats, channels) if arguments.run else 0
    return 1 if findings or wrong else 0


def _run(network: nn.Layer, config: Config, shape: Sequence[int], formats: Sequence[str], channels: int) -> int:
    """Export random weights to each format; return how many did not answer as the network does."""
    from paddle_portrait.errors import UserError
    from paddle_portrait.export import prove_each
    from paddle_portrait.export.exporter import describe
    from paddle_portrait.export.options import ExportOptions

    found = prove_each(network, config, formats, ExportOptions("sigmoid"), shape, channels)
    for name, entry in found.items():
        print(f"run {name}: {entry if isinstance(entry, UserError) else describe(entry)}")
    return sum(isinstance(entry, UserError) or entry.passed is False for entry in found.values())


if __name__ == "__main__":
    sys.exit(main())
