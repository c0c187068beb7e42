"""Walks data sets and collects what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from paddle_portrait.console import track
from paddle_portrait.data.checks import files as file_rules
from paddle_portrait.data.checks import masks as mask_rules
from paddle_portrait.data.checks.facts import PairFacts, inspect_pair
from paddle_portrait.data.checks.looks import find_lookalikes, find_shared_looks
from paddle_portrait.data.checks.report import CheckReport, raise_errors
from paddle_portrait.data.checks.statistics import describe_pairs
from paddle_portrait.data.datasets.base import Files, PortraitDataset
from paddle_portrait.data.datasets.foreign import as_dataset
from paddle_portrait.data.masks import MaskReader, choose_reader
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.image_io import read_mask

Level = Literal["cheap", "full"]

_CHEAP_PAIRS = 32
_SAMPLED_MASKS = 48
# A mask that stops the interpretation of the whole data set is already reported under one of these.
_EXPLAINS_READER = {"missing_masks", "unreadable_masks", "coloured_masks", "jpeg_masks", "swapped_columns"}


def check_dataset(
    dataset: Any,
    batch_size: int | None = None,
    level: Level = "full",
    name: str = "data set",
    training: bool = False,
) -> CheckReport:
    """Look for everything that would spoil a training or a judgement.

    Args:
        dataset: a data set, of ours or of paddleseg.
        batch_size: images of a training step, to compare with the size of the data set.
        level: ``"cheap"`` checks all lists, names and file sums but decodes only a few dozen pairs spread over
            the data set; ``"full"`` decodes every pair, under a progress bar.
        name: the data set in messages.
        training: whether it is trained on: every photo then needs a mask, and none may be kept for judging.

    Returns:
        The report; nothing is raised for what is found.
    """
    dataset = as_dataset(dataset)
    report = CheckReport(name)
    report.statistics = {"pairs": len(dataset.files), "inspected": 0}
    missing = file_rules.find_missing(dataset.files, report)
    if training:
        file_rules.find_unlabelled(dataset.files, report)
        file_rules.find_reserved(dataset, missing, report)
    if batch_size is not None:
        file_rules.find_too_few(dataset, batch_size, report)
    present = [entry for entry in dataset.files if missing.isdisjoint(entry)]
    file_rules.find_repeated(present, report)
    inspected = []
    parts = file_rules.leaves(dataset)
    for part in parts:
        budget = None if level == "full" else max(1, _CHEAP_PAIRS // len(parts))
        inspected += _check_part(part, missing, budget, report)
    # Joined data sets may have a part of empty rooms: what masks hold is judged over all of them.
    mask_rules.find_odd_contents(inspected, report)
    report.looks = {pair.image: pair.look for pair in inspected}
    if level == "full":
        find_lookalikes(report.looks, report)
    report.statistics.update(describe_pairs(inspected))
    return report


def check_overlap(
    train_dataset: Any,
    val_dataset: Any,
    looks: Mapping[str, int] | None = None,
    name: str = "train_dataset and val_dataset",
) -> CheckReport:
    """Look for photos that are both trained on and judged on.

    Args:
        train_dataset: the data set to train on.
        val_dataset: the data set to judge on.
        looks: the ``looks`` of both data sets' reports, to find copies that were scaled or compressed again.
        name: the two in messages.
    """
    report = CheckReport(name)
    train, val = (dict.fromkeys(image for image, _ in as_dataset(one).files) for one in (train_dataset, val_dataset))
    file_rules.find_shared(train, val, report)
    find_shared_looks(looks or {}, train, val, report)
    return report


def cheap_checks(train_dataset: Any, val_dataset: Any | None, batch_size: int) -> None:
    """Check, within a second or two, that a training with these data can mean anything; log the warnings.

    Args:
        train_dataset: the data set to train on.
        val_dataset: the data set to judge on, or None.
        batch_size: images of a step in this process.

    Raises:
        UserError: listing every error of both data sets.
    """
    reports = [check_dataset(train_dataset, batch_size, "cheap", "train_dataset", training=True)]
    if val_dataset is not None:
        reports.append(check_dataset(val_dataset, None, "cheap", "val_dataset"))
        reports.append(check_overlap(train_dataset, val_dataset))
    raise_errors(reports)


def _check_part(part: PortraitDataset, missing: set[str], budget: int | None, report: CheckReport) -> list[PairFacts]:
    """Decode pairs of one list and report what is wrong with them; return what was seen."""
    present = [entry for entry in part.files if missing.isdisjoint(entry)]
    if not present:
        return []
    mask_format = getattr(part, "mask_format", "auto")
    reader, problem = _reader_of(part, present, mask_format)
    pairs = _inspect(spread(present, budget), reader, f"checking {report.name}" if budget is None else None)
    report.statistics["inspected"] += len(pairs)
    mask_rules.find_unreadable(pairs, report)
    straight = mask_rules.find_swapped(pairs, report)
    mask_rules.find_wrong_kind(straight, mask_format, report)
    mask_rules.find_other_sizes(straight, report)
    believed = mask_rules.find_wrong_values(straight, reader, report)
    if problem and _EXPLAINS_READER.isdisjoint(finding.code for finding in report.findings):
        report.add("mask_format", "error", problem)
    return believed


def _reader_of(part: PortraitDataset, present: Files, mask_format: str) -> tuple[MaskReader, str]:
    """Return how the masks of a list are read, and why the data set itself cannot tell, or "".

    Where some masks cannot be read at all, the others decide, so that each file is judged by itself.
    """
    problem = ""
    try:
        reader = getattr(part, "masks", None)
        if isinstance(reader, MaskReader):
            return reader, ""
    except UserError as error:
        problem = str(error)
    classes, ignore_index = part.num_classes, getattr(part, "ignore_index", 255)
    labels = [label for _, label in spread(present, _SAMPLED_MASKS) if label is not None and _is_mask(label)]
    try:
        return choose_reader(labels, mask_format, classes, ignore_index), problem
    except UserError:  # JPEG masks, or a mask_format that does not suit the classes
        return choose_reader(labels, "binary255" if classes == 2 else "auto", classes, ignore_index), problem


def _is_mask(path: str) -> bool:
    try:
        read_mask(path)
    except UserError:
        return False
    return True


def _inspect(entries: Files, reader: MaskReader, description: str | None) -> list[PairFacts]:
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        pairs = pool.map(lambda entry: inspect_pair(entry[0], entry[1], reader), entries)
        return list(track(pairs, description, len(entries)) if description else pairs)


def spread(entries: Sequence[Any], count: int | None) -> list[Any]:
    """Return ``count`` entries spread evenly, or all of them."""
    if count is None or count >= len(entries):
        return list(entries)
    return [entries[position * len(entries) // count] for position in range(count)]
