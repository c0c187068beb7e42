"""``tools/val.py``: judge a trained network on a split of its config."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from paddle_portrait.cli.predict_flags import add_predict_flags, predict_options
from paddle_portrait.console import run_command

_EPILOG = """
The split: --split val (default) or test. A split marked 'final: true' in the config is judged only with --final,
which alone also chooses it; the look is written, dated, into MODEL_CARD.md beside the weights.
Another list: --opts val_dataset.dataset_root=DIR val_dataset.val_path=DIR/list.txt"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="val.py",
        description="Judge a trained network: mIoU, person IoU, boundary IoU, pixel accuracy, distances to soft "
        "labels, a measure of grids, for sequences flicker. Writes report.json and report.html.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--config", help="YAML config (default: that of the released model that --model_path names)")
    add("--model_path", help="weights to judge: a .pdparams file, a checkpoint's folder or a zoo name (required)")
    add("--split", choices=("val", "test"), help="the config's val_dataset or test_dataset (default: val)")
    add("--final", action="store_true", help="take the one look at a split marked 'final: true'")
    add("--sequence", action="store_true", help="also judge flicker: a folder's files, in list order, are frames")
    add("--save_dir", default="output/val", help="folder of report.json and report.html (default: output/val)")
    add("--gallery", type=int, default=6, metavar="N", help="worst, and as many median, images to show (default: 6)")
    add("--batch_size", type=int, default=4, help="images of one step (default: 4)")
    add("--num_workers", type=int, help="threads that read images (default: the config's, else 0)")
    add("--nproc", type=int, default=1, help="processes that share the images, on this machine (default: 1)")
    add("--device", help="cpu, gpu, gpu:N (default: a GPU where Paddle drives one, else the CPU)")
    add_predict_flags(parser)
    add("--print_config", action="store_true", help="print the config with the source of each value, and stop")
    add("--opts", nargs="+", default=[], metavar="KEY=VALUE", help="change keys of the config")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _judge(arguments, list(sys.argv[1:] if argv is None else argv)))


def _judge(arguments: argparse.Namespace, command: list[str]) -> int:
    from paddle_portrait.config import load_config
    from paddle_portrait.engine import distributed
    from paddle_portrait.errors import UserError
    from paddle_portrait.zoo import config_for

    named = config_for(arguments.config, arguments.model_path)
    config = load_config(named, arguments.opts, {"num_workers": arguments.num_workers})
    if arguments.print_config:
        print(config.dump_with_sources())
        return 0
    config.require("val")
    if arguments.model_path is None:
        raise UserError("--model_path is missing: which weights are to be judged? For example output/best_model.")
    for flag, lowest in (("batch_size", 1), ("nproc", 1), ("gallery", 0)):
        if getattr(arguments, flag) < lowest:
            raise UserError(f"--{flag} must be {lowest} or more, not {getattr(arguments, flag)}.")
    options = predict_options(arguments, config)
    save_dir = Path(arguments.save_dir)
    if arguments.nproc > 1 and distributed.world_size() == 1:
        return distributed.relaunch([str(Path(__file__)), *command], arguments.nproc, str(save_dir / "workers"))
    from paddle_portrait.engine.environment import choose_device
    from paddle_portrait.report.figures import text_table
    from paddle_portrait.report.run import HTML_NAME, JudgeOptions, judge_split

    choose_device(arguments.device, config.get("global.device"))
    distributed.start()
    report = judge_split(
        config,
        JudgeOptions(
            model_path=arguments.model_path,
            save_dir=save_dir,
            split=arguments.split,
            final=arguments.final,
            batch_size=arguments.batch_size,
            num_workers=int(config.setting("num_workers", 0)),
            predict=options,
            sequence=arguments.sequence,
            gallery=arguments.gallery,
        ),
    )
    if distributed.is_main():
        print(text_table(report.summary))
        print(f"report: {save_dir / HTML_NAME}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
