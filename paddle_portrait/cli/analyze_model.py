"""``tools/analyze_model.py``: what a network costs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from paddle_portrait.console import run_command


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Say what a network costs: parameters, multiply-adds, memory, operator by operator; with --time "
        "where the time goes; and what mobile GPUs and runtimes will punish."
    )
    add = parser.add_argument
    add("--config", help="YAML config of the network (default: that of the released model that --model_path names)")
    add("--model_path", help="weights: a zoo name, or a pruned network's .pdparams or folder (default: random)")
    add("--all", action="store_true", help="all networks of docs/models.yml: renews docs/models.json, .md")
    add("--input_shape", type=int, nargs="+", metavar="SIZE", help="H W or N C H W (default: the config's)")
    add("--time", action="store_true", help="also measure, by layer in Paddle and by operator in ONNX Runtime")
    add("--runs", type=int, default=20, help="runs that --time takes the middle of (default: 20)")
    add("--json", metavar="FILE", help="write everything to FILE too")
    add("--opts", nargs="+", default=[], metavar="KEY=VALUE", help="change keys of the config")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _document() if arguments.all else _analyse(arguments))


def _analyse(arguments: argparse.Namespace) -> int:
    from paddle_portrait.analysis import analyse
    from paddle_portrait.analysis.table import describe
    from paddle_portrait.config import load_config
    from paddle_portrait.engine.trained import build_network, input_channels, load_trained
    from paddle_portrait.errors import UserError
    from paddle_portrait.export.choices import settle_input_shape
    from paddle_portrait.preprocess import Preprocess
    from paddle_portrait.zoo import config_for

    if arguments.runs < 1:
        raise UserError(f"--runs must be 1 or more, not {arguments.runs}.")
    config = load_config(config_for(arguments.config, arguments.model_path), arguments.opts)
    config.require("export")
    preprocess = Preprocess.from_transforms(config.inference_transforms())
    channels = input_channels(config, preprocess)
    shape = settle_input_shape(arguments.input_shape, preprocess.input_size_hw, channels)
    network = load_trained(config, arguments.model_path) if arguments.model_path else build_network(config)
    analysis = analyse(network, shape, onnx=True, timed_runs=arguments.runs if arguments.time else 0)
    print(describe(analysis))
    if arguments.json:
        path = Path(arguments.json)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"config": config.path, **analysis.to_dict()}
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0


def _document() -> int:
    from paddle_portrait.analysis.catalogue import LIST, write_catalogue

    for path in write_catalogue(LIST.parent):
        print(f"written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
