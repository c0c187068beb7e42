"""``tools/average_weights.py``: one network from several trainings, or from a training and its start."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paddle_portrait.console import run_command

if TYPE_CHECKING:
    import numpy as np
    from paddle import nn


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Average the weights of trainings of one config, and mix them with the weights that the config "
        "starts from, which networks that were trained on need to keep what they knew."
    )
    add = parser.add_argument
    add("--config", required=True, help="YAML config of the network")
    add(
        "--model_path", nargs="+", required=True, help="trained weights: .pdparams files, checkpoint folders, zoo names"
    )
    add("--start_share", type=float, default=0.0, help="share of the weights of model.pretrained, 0 to 1 (default: 0)")
    add(
        "--as_at_start",
        nargs="+",
        default=[],
        metavar="PREFIX",
        help="beginnings of the names of values that are those of the start wholly, such as the shares of LateFusion",
    )
    add("--logit_scale", type=float, default=1.0, help="make the answer surer by this factor (default: 1)")
    add("--logit_layers", nargs="+", default=["head."], help="beginnings of the names that it scales (default: head.)")
    add("--half", action="store_true", help="round the result to float16 and compress the file")
    add("--save_dir", required=True, help="gets model.pdparams")
    add("--opts", nargs="+", default=[], metavar="KEY=VALUE", help="change keys of the config")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _average(arguments))


def _average(arguments: argparse.Namespace) -> int:
    from paddle_portrait.config import load_config
    from paddle_portrait.engine.averaging import average, halved, named, not_loaded, sharpened, towards_start
    from paddle_portrait.engine.trained import build_network, build_start, load_trained
    from paddle_portrait.models.weights import save_weights

    config = load_config(arguments.config, arguments.opts)
    networks = [load_trained(config, path) for path in arguments.model_path]
    state = average([_arrays(network) for network in networks])
    if arguments.start_share or arguments.as_at_start:
        start, another_start = (_arrays(build_start(config)) for _ in range(2))
        new = not_loaded(start, another_start, _arrays(build_network(config)))
        state = towards_start(state, start, arguments.start_share, new)
        state |= named(start, arguments.as_at_start)
    if arguments.logit_scale != 1:
        state = sharpened(state, arguments.logit_layers, arguments.logit_scale)
    save_dir = Path(arguments.save_dir)
    save_dir.mkdir(parents=True, exist_ok=True)
    if arguments.half:
        save_weights(halved(state), save_dir / "model.pdparams", largest=0)
    else:
        save_weights(state, save_dir / "model.pdparams")
    print(f"written: {save_dir / 'model.pdparams'}, {len(networks)} averaged, {arguments.start_share:g} of the start")
    return 0


def _arrays(network: nn.Layer) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in network.state_dict().items()}


if __name__ == "__main__":
    sys.exit(main())
