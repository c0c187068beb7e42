"""``tools/prune.py``: take whole channels out of a trained network."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from paddle_portrait.console import run_command


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Remove the least important channels of a trained network, and make sure that what is left answers "
        "as the whole network with those channels at zero. Fine-tune it then: tools/train.py --model_path SAVE_DIR."
    )
    add = parser.add_argument
    add("--config", help="YAML config of the network (default: that of the released model that --model_path names)")
    add("--model_path", help="its weights: a .pdparams file, a checkpoint directory or a zoo name (needed)")
    add("--save_dir", default="output/pruned", help="gets model.pdparams, channels.json (default: output/pruned)")
    add("--ratio", type=float, required=True, help="share of the multiply-adds to remove, such as 0.3")
    add("--importance", choices=["l1", "norm"], default="l1", help="by weights, or by scales of batch norms")
    add("--max_share", type=float, default=0.5, help="largest share of a layer's channels to remove (default: 0.5)")
    add("--keep", nargs="+", default=[], metavar="LAYER", help="layers that stay whole; * as in file names")
    add("--multiple_of", type=int, default=1, help="what layers that lose channels end with (default: 1)")
    add("--size", type=int, nargs=2, metavar=("W", "H"), help="size to count multiply-adds at (default: the config's)")
    add("--opts", nargs="+", default=[], metavar="KEY=VALUE", help="change keys of the config")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _prune(arguments))


def _prune(arguments: argparse.Namespace) -> int:
    from paddle_portrait.config import load_config
    from paddle_portrait.engine.pruning import PruneOptions, prune
    from paddle_portrait.engine.trained import load_trained, pruning_shape
    from paddle_portrait.models.channels import channel_widths, write_widths
    from paddle_portrait.models.weights import save_weights
    from paddle_portrait.zoo import config_for

    config = load_config(config_for(arguments.config, arguments.model_path), arguments.opts)
    config.require("export")
    network = load_trained(config, arguments.model_path)
    options = PruneOptions(
        arguments.ratio, arguments.importance, arguments.max_share, arguments.keep, arguments.multiple_of
    )
    report = prune(network, pruning_shape(config, arguments.size), options)
    save_dir = Path(arguments.save_dir)
    save_dir.mkdir(parents=True, exist_ok=True)
    save_weights({name: value.numpy() for name, value in network.state_dict().items()}, save_dir / "model.pdparams")
    write_widths(channel_widths(network), save_dir)
    for slot, kept in report.kept.items():
        if slot.side == "out":
            print(f"  {slot.layer}: {report.sizes[slot]} -> {len(kept)}")
    print(f"{report.summary()}\nwritten: {save_dir}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
