"""``tools/export.py``: from a checkpoint to a directory that runs elsewhere."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from paddle_portrait.console import run_command


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
    add("--person_only", action="store_true", help="of the probabilities, the person's channel alone")
    add("--bit_packed", type=int, choices=(8, 16), help="the mask with 8 pixels in a byte, or 16 in a float")
    add("--flatten_output", action="store_true", help="the output as one row of values an image")
    add("--pad_input_channels", type=int, metavar="N", help="take N channels, such as 4; the further ones are ignored")
    add("--upsample_in_graph", choices=("on", "off"), help="off: the last resize is left to the host (default: on)")
    add("--normalise_in_graph", action="store_true", help="take uint8 levels; mean and std are in the graph")
    add("--rewrites", choices=("on", "off"), help="off: the ONNX graph layer by layer, as trained (default: on)")
    add(
        "--format",
        nargs="+",
        metavar="NAME",
        help="targets, such as paddle,onnx,openvino (default: the config's)",
    )
    add("--device", default="cpu", help="where the network is traced and checked (default: cpu)")
    add("--opts", nargs="+", default=[], metavar="KEY=VALUE", help="change keys of the config")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _export(arguments))


def _export(arguments: argparse.Namespace) -> int:
    from paddle_portrait.config import load_config
    from paddle_portrait.export.options import fitting_classes, settle_options
    from paddle_portrait.zoo import config_for

    config = load_config(config_for(arguments.config, arguments.model_path), arguments.opts)
    config.require("export")
    options = settle_options(config.get("export", {}), vars(arguments))

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
    network = load_trained(config, arguments.model_path)
    if arguments.with_softmax and arguments.output_op is None:
        options = fitting_classes(options, getattr(network, "num_classes", None))
    report = export_model(
        network,
        config,
        arguments.save_dir,
        formats,
        input_shape=arguments.input_shape or config.get("export.input_shape"),
        channels=input_channels(config, Preprocess.from_transforms(config.inference_transforms())),
        options=options,
    )
    print(f"exported to {report.save_dir}: {', '.join(report.targets)}; output {report.output_op}, "
          f"input {list(report.input_shape)} (N, C, height, width; -1: any)")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
