"""``tools/check_config.py``: checks YAML configs without running anything."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's flags."""
    parser = argparse.ArgumentParser(
        prog="check_config.py",
        description="Check YAML configs: every key, name and value, without running anything. "
        "Prints FILE:LINE of each mistake and exits 1 when there is one.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="YAML files, folders of them, or globs")
    parser.add_argument(
        "--for",
        dest="command",
        choices=("train", "val", "predict", "export"),
        help="also check that everything is there which this command needs",
    )
    parser.add_argument("--opts", nargs="+", default=[], metavar="KEY=VALUE", help="values to set before checking")
    parser.add_argument("--print_config", action="store_true", help="print each resolved config with its sources")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Check the files that ``argv`` names; return 0 when all are right, 1 when one is wrong."""
    arguments = build_parser().parse_args(argv)
    from paddle_portrait.console import run_command

    return run_command(lambda: _check_all(arguments))


def _check_all(arguments: argparse.Namespace) -> int:
    wrong = 0
    for path in find_configs(arguments.files):
        wrong += not _check(path, arguments)
    return 1 if wrong else 0


def _check(path: str, arguments: argparse.Namespace) -> bool:
    from paddle_portrait.config import ConfigError, load_config

    try:
        config = load_config(path, arguments.opts)
        if arguments.command:
            config.require(arguments.command)
    except ConfigError as error:
        print(*error.problems, sep="\n")
        return False
    print(config.dump_with_sources() if arguments.print_config else f"{path}: ok")
    return True


def find_configs(patterns: Sequence[str]) -> list[str]:
    """Return the files that ``patterns`` (files, folders, globs) name, each once.

    Raises:
        UserError: a folder or glob holds no YAML file.
    """
    from glob import glob

    from paddle_portrait.errors import UserError

    found: list[str] = []
    for pattern in patterns:
        files = [pattern]
        if Path(pattern).is_dir():
            files = sorted(str(path) for path in Path(pattern).rglob("*") if path.suffix in (".yml", ".yaml"))
        elif any(mark in pattern for mark in "*?[") and not Path(pattern).exists():
            files = sorted(glob(pattern, recursive=True))
        if not files:
            raise UserError(f"'{pattern}' holds no .yml or .yaml file.")
        found += files
    return list(dict.fromkeys(found))
