"""The flags of ``tools/train.py``: PaddleSeg's, and a few of ours."""

from __future__ import annotations

import argparse

AUTO = "auto"

# Flag -> key of the config that it sets.
OVERRIDES = {
    "iters": "iters",
    "batch_size": "batch_size",
    "learning_rate": "lr_scheduler.learning_rate",
    "save_interval": "save_interval",
    "log_iters": "log_iters",
    "num_workers": "num_workers",
    "keep_checkpoint_max": "keep_checkpoint_max",
    "early_stop_intervals": "early_stop.intervals",
    "seed": "seed",
    "precision": "precision",
    "amp_level": "amp_level",
    "data_format": "data_format",
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Train a portrait segmentation network.")
    add = parser.add_argument
    add("--config", help="YAML config (default: that of the released model that --model_path names)")
    add("--model_path", help="weights to start from: a .pdparams file, a checkpoint's folder or a zoo name")
    add("--save_dir", default=None, help="folder of checkpoints, log and curves (default: output)")
    add("--iters", type=int, help="iterations to train")
    add("--batch_size", type=int, help="images of one step, over all processes")
    add("--learning_rate", type=float, help="learning rate at the start")
    add("--save_interval", type=int, help="iterations between checkpoints and evaluations (default: 1000)")
    add("--log_iters", type=int, help="iterations between log lines (default: 10)")
    add("--num_workers", type=int, help="threads that load data; 0 loads between the steps (default: 0)")
    add("--keep_checkpoint_max", type=int, help="checkpoints to keep beside the best (default: 5)")
    add("--early_stop_intervals", type=int, help="evaluations without a better mIoU after which to stop")
    add("--seed", type=int, help="seed of all randomness (default: 0)")
    add("--do_eval", action="store_true", help="evaluate at every save, and keep the best model")
    add("--use_vdl", action="store_true", help="write curves and sample pictures for VisualDL")
    add("--use_ema", action="store_true", help="average the weights; evaluate and keep the average")
    add("--resume_model", metavar="DIR|auto", help="continue from a checkpoint; auto: the newest good one in save_dir")
    add("--device", help="cpu, gpu, gpu:N (default: a GPU where Paddle drives one, else the CPU)")
    add("--precision", choices=["fp32", "fp16", "bf16"], help="mixed precision needs a GPU (default: fp32)")
    add("--amp_level", choices=["O1", "O2"], help="O1: operators of a list, O2: the whole network (default: O1)")
    add("--data_format", choices=["NCHW", "NHWC"], help="memory layout; only NCHW can be trained")
    add("--profiler_options", help="profile some iterations, such as 'batch_range=[10,20];profile_path=profile'")
    add(
        "--nproc",
        type=_processes,
        default=1,
        metavar="N|auto",
        help="processes to train in, on this machine; auto: a few steps are tried, the quickest is taken (default: 1)",
    )
    add("--print_config", action="store_true", help="print the config with the source of each value, and stop")
    add("--opts", nargs="+", default=[], metavar="KEY=VALUE", help="change keys of the config")
    return parser


def _processes(text: str) -> int | str:
    """Read ``--nproc``."""
    if text == AUTO:
        return AUTO
    count = int(text) if text.isdecimal() else 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is neither a number from 1 up nor {AUTO}")
    return count
