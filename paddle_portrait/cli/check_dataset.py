"""``tools/check_dataset.py``: says what is wrong with the data sets of a config."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paddle_portrait.config import Config
    from paddle_portrait.data.checks import CheckReport

SECTIONS = ("train_dataset", "val_dataset", "test_dataset")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's flags."""
    parser = argparse.ArgumentParser(
        prog="check_dataset.py",
        description="Walk the data sets of a config and report missing, unreadable, mismatched, empty, mislabelled and "
        "duplicate files, photos shared by training and validation, and the share of the person. "
        "Exits 1 when there is an error, 0 when there are warnings only.",
    )
    parser.add_argument("--config", required=True, help="YAML config")
    parser.add_argument("--dataset", nargs="+", choices=SECTIONS, help="sections to check (default: all that it has)")
    parser.add_argument("--save_dir", type=Path, help="folder for a contact sheet (photo | label) of each data set")
    parser.add_argument("--json", type=Path, help="file for the whole report: every finding, all its files, figures")
    parser.add_argument("--opts", nargs="+", default=[], metavar="KEY=VALUE", help="change keys of the config")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Check the data sets; return 0, or 1 when there is an error."""
    arguments = build_parser().parse_args(argv)
    from paddle_portrait.console import run_command

    return run_command(lambda: _check(arguments))


def _check(arguments: argparse.Namespace) -> int:
    from paddle_portrait.config import load_config
    from paddle_portrait.data.checks.report import write_json
    from paddle_portrait.errors import UserError

    config = load_config(arguments.config, arguments.opts)
    sections = arguments.dataset or [section for section in SECTIONS if config.get(section) is not None]
    if not sections:
        raise UserError(f"{config.path}: it has no data set; one of {', '.join(SECTIONS)} is needed.")
    datasets: dict[str, Any] = {}
    reports = [_check_section(config, section, datasets) for section in sections]
    reports += _check_overlaps(datasets, reports)
    for section, dataset in datasets.items():
        if arguments.save_dir is not None:
            _save_sheet(dataset, arguments.save_dir / f"{section}.png")
    if arguments.json is not None:
        write_json(reports, arguments.json)
    print(*(report.summary() for report in reports), sep="\n")
    return 1 if any(report.errors for report in reports) else 0


def _check_section(config: Config, section: str, datasets: dict[str, Any]) -> CheckReport:
    """Check one section; its data set is added to ``datasets`` when it can be opened at all."""
    from paddle_portrait.data.checks import CheckReport, check_dataset
    from paddle_portrait.errors import UserError
    from paddle_portrait.registry import DATASETS

    node = config.component(section)
    try:
        datasets[section] = DATASETS.build_node(node)
    except UserError as error:
        report = CheckReport(section)
        report.add("cannot_open", "error", str(error))
        return report
    training = section == "train_dataset"
    batch_size = config.setting("batch_size") if training else None
    return check_dataset(datasets[section], batch_size, "full", section, training)


def _check_overlaps(datasets: dict[str, Any], reports: Sequence[CheckReport]) -> list[CheckReport]:
    from paddle_portrait.data.checks import check_overlap

    looks = {path: look for report in reports for path, look in report.looks.items()}
    trained = datasets.get("train_dataset")
    judged = [] if trained is None else [section for section in datasets if section != "train_dataset"]
    return [check_overlap(trained, datasets[one], looks, f"train_dataset and {one}") for one in judged]


def _save_sheet(dataset: Any, path: Path) -> None:
    from paddle_portrait.console import logger
    from paddle_portrait.data.checks import sample_sheet
    from paddle_portrait.preprocess import write_image

    sheet = sample_sheet(dataset)
    if sheet is None:
        logger.warning("%s is not drawn: no sample can be loaded", path)
        return
    write_image(path, sheet)
    logger.info("contact sheet: %s", path)
