"""Findings that need no decoding: missing and repeated files, shared photos, photos kept for judging."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence

from paddle_portrait.data.checks.report import CheckReport, named, share
from paddle_portrait.data.checks.reserved import file_digest, reserved_by_name, reserved_images
from paddle_portrait.data.datasets.base import Files, PortraitDataset


def find_missing(files: Files, report: CheckReport) -> set[str]:
    """Report files that do not exist, and return them."""
    missing: set[str] = set()
    for noun, column in (("images", 0), ("masks", 1)):
        listed = [entry[column] for entry in files]
        absent = [path for path in listed if path is not None and not os.path.isfile(path)]
        missing.update(absent)
        if absent:
            report.add(
                f"missing_{noun}",
                "error",
                f"{share(len(absent), len(listed), noun)} of the list do not exist: {named(absent)}. "
                "Mend the names in the list, or dataset_root, which they are relative to.",
                absent,
            )
    return missing


def find_unlabelled(files: Files, report: CheckReport) -> None:
    """Report lines of a training set that name no mask, or the same file twice."""
    bare = [image for image, label in files if label is None]
    if bare:
        report.add("no_masks", "error", f"{share(len(bare), len(files), 'images')} have no mask: {named(bare)}.", bare)
    same = [image for image, label in files if image == label]
    if same:
        report.add(
            "same_file", "error", f"{share(len(same), len(files), 'lines')} name one file twice: {named(same)}.", same
        )


def find_too_few(dataset: PortraitDataset, batch_size: int, report: CheckReport) -> None:
    """Report a training set whose epoch does not fill one batch."""
    images = sum(part.length for part in dataset.parts())
    if images < batch_size:
        report.add(
            "fewer_than_batch",
            "error",
            f"{images} images an epoch (weights applied), but a batch takes {batch_size}: not one batch could be "
            f"made. Add images, or set batch_size to {max(images, 1)} or less.",
        )


def find_repeated(files: Sequence[tuple[str, str | None]], report: CheckReport) -> None:
    """Report photos listed twice, and files of equal content. All files must exist."""
    images = [image for image, _ in files]
    listed: dict[str, int] = defaultdict(int)
    for image in images:
        listed[image] += 1
    twice = [image for image, count in listed.items() if count > 1]
    if twice:
        report.add(
            "listed_twice",
            "warning",
            f"{share(len(twice), len(listed), 'images')} stand in the list more than once: {named(twice)}. "
            "Their weight in the training is that much higher.",
            twice,
        )
    groups = equal_files(listed)
    if groups:
        report.add(
            "duplicate_images",
            "warning",
            f"{len(groups)} groups of image files have equal content: {named([' = '.join(g) for g in groups])}. "
            "Remove the copies, and see whether their masks agree.",
            [path for group in groups for path in group],
        )


def find_shared(train: Iterable[str], val: Iterable[str], report: CheckReport) -> None:
    """Report photos that are both trained on and judged on, under one name or by equal content.

    Files that do not exist are left out. Two equal sets are only warned about: that is how one tests whether
    a network can learn anything at all.
    """
    trained, judged = existing(train), existing(val)
    # Two names may lead to one file (links, "./"), and two files may have equal content.
    real = _real_names({*trained, *judged})
    names = {real[path] for path in trained}
    groups = [group for group in equal_files(real) if any(real[path] in names for path in group)]
    copies = {path for group in groups for path in group}
    shared = [path for path in judged if path in copies or real[path] in names]
    if not shared:
        return
    advice = "The scores would tell how well the network remembers, not how well it judges new photos."
    if len(shared) == len(judged) == len(trained):
        report.add("train_is_val", "warning", f"training and evaluation use the same photos. {advice}", shared)
        return
    report.add(
        "train_val_overlap",
        "error",
        f"{share(len(shared), len(judged), 'evaluation images')} are in the training set, too: {named(shared)}. "
        f"{advice} Take them out of one list.",
        shared,
    )


def find_reserved(dataset: PortraitDataset, missing: set[str], report: CheckReport) -> None:
    """Report a training set that is, or holds photos of, a list kept for judging."""
    refusal = "Its photos are kept for judging and may not be trained on"
    for leaf in leaves(dataset):
        path = getattr(leaf, "list_path", None)
        name = reserved_by_name(path) if path is not None else None
        if name is not None:
            report.add(
                "reserved_list",
                "error",
                f"{path} is the evaluation list {name}. {refusal}: take its train list.",
                [str(path)],
            )
    images = dict.fromkeys(image for image, _ in dataset.files if image not in missing)
    for name, found in reserved_images(images).items():
        report.add(
            "reserved_images",
            "error",
            f"{share(len(found), len(images), 'images')} are photos of the evaluation list {name} (by the sums of "
            f"their files): {named(found)}. {refusal}: take them out of the list.",
            found,
        )


def leaves(dataset: PortraitDataset) -> list[PortraitDataset]:
    """Return the data sets that a joined one is made of, in order; any other one alone."""
    inner = getattr(dataset, "datasets", None)
    return [dataset] if inner is None else [leaf for part in inner for leaf in leaves(part)]


def equal_files(paths: Iterable[str]) -> list[list[str]]:
    """Group existing files of equal content; only files of equal size are read."""
    by_size: dict[int, list[str]] = defaultdict(list)
    for path in paths:
        by_size[os.path.getsize(path)].append(path)
    by_content: dict[tuple[int, str], list[str]] = defaultdict(list)
    for size, candidates in by_size.items():
        if len(candidates) > 1:
            for path in candidates:
                by_content[size, file_digest(path)].append(path)
    return [sorted(group) for group in by_content.values() if len(group) > 1]


def existing(paths: Iterable[str]) -> list[str]:
    """Return those of the paths, each once, that are files."""
    return [path for path in dict.fromkeys(paths) if os.path.isfile(path)]


def _real_names(paths: Iterable[str]) -> dict[str, str]:
    """Map paths to names with links of folders followed; a linked file is found by its content anyway."""
    folders: dict[str, str] = {}
    names = {}
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        names[path] = os.path.join(folders[folder], name)
    return names
