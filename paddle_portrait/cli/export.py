"""``tools/export.py``: from a checkpoint to a directory that runs elsewhere."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from paddle_portrait.console import run_command

if TYPE_CHECKING:
    from paddle_portrait.config import Config

# Keys of the config's export section that flags and the exporter act on.
_UNDERSTOOD = {"transforms", "formats", "output_op", "input_shape", "person_only"}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Export a trained network with deploy.yaml and parity.json; fails when the export differs from it."
    )
    add = parser.add_argument
    add("--config", help="YAML config of the network (default: that of the released model that --model_path names)")
    add("--model_path", help="its weights: a .pdparams file, a checkpoint directory or a zoo name (needed)")
    add("--save_dir", default="output", help="directory of the export (default: output)")
    add("--input_shape", type=int, nargs="+", metavar="SIZE", help="H W or N C H W; -1: any (default: the config's)")
    add("--output_op", help="argmax, softmax, sigmoid (person only) or none (default: the config's, else argmax)")
    add("--with_softmax", action="store_true", help="probabilities: the same as --output_op softmax")
    add("--without_argmax", action="store_true", help="no class numbers: logits, or with --with_softmax probabilities")
    add("--format", nargs="+", metavar="NAME", help="paddle paddle_legacy onnx; commas too (default: the config's)")
    add("--device", default="cpu", help="where the network is traced and checked (default: cpu)")
    add("--opts", nargs="+", default=[], metavar="KEY=VALUE", help="change keys of the config")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _export(arguments))


def _export(arguments: argparse.Namespace) -> int:
    from paddle_portrait.config import load_config
    from paddle_portrait.export.choices import settle_output_op
    from paddle_portrait.zoo import config_for

    config = load_config(config_for(arguments.config, arguments.model_path), arguments.opts)
    config.require("export")
    _refuse_what_is_not_done(config)
    output_op = settle_output_op(
        arguments.output_op,
        arguments.with_softmax,
        arguments.without_argmax,
        config.get("export.output_op"),
        config.get("export.person_only", False),
    )

    from paddle_portrait.engine.environment import choose_device
    from paddle_portrait.engine.trained import input_channels, load_trained
    from paddle_portrait.export import export_model
    from paddle_portrait.export.targets import check_formats
    from paddle_portrait.preprocess import Preprocess

    configured = config.get("export.formats", ["paddle"])
    named = [name for part in arguments.format or () for name in part.split(",") if name]
    formats = named or ([configured] if isinstance(configured, str) else configured)
    check_formats(formats)
    choose_device(arguments.device)
    report = export_model(
        load_trained(config, arguments.model_path),
        config,
        arguments.save_dir,
        formats,
        output_op,
        arguments.input_shape or config.get("export.input_shape"),
        input_channels(config, Preprocess.from_transforms(config.inference_transforms())),
    )
    print(f"exported to {report.save_dir}: {', '.join(report.targets)}; output {report.output_op}, "
          f"input {list(report.input_shape)} (N, C, height, width; -1: any)")  # fmt: skip
    return 0


def _refuse_what_is_not_done(config: Config) -> None:
    from paddle_portrait.config.schema import ExportSection
    from paddle_portrait.errors import UserError

    for key, value in config.get("export", {}).items():
        if key not in _UNDERSTOOD and value != getattr(ExportSection, key):
            raise UserError(f"{config.where(f'export.{key}')}: export.{key} cannot be exported yet. Leave it out.")


if __name__ == "__main__":
    sys.exit(main())
