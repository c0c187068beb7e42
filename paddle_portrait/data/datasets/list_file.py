"""Data sets described by a list file: one photo and its mask a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from paddle_portrait.data.datasets.base import FileDataset, Files
from paddle_portrait.data.transforms.pipeline import Pipeline
from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.registry import DATASETS

_MODES = ("train", "val", "test")


@DATASETS.register()
class Dataset(FileDataset):
    """Photos and masks named by a list file (PaddleSeg's ``Dataset``).

    Args:
        transforms: transforms, ``Normalize`` last.
        dataset_root: folder that the names in the list are relative to.
        num_classes: 2 for portraits.
        mode: ``train``, ``val`` or ``test``: which list is used. Masks may be missing in a test list only.
        train_path: list file of mode train, lines like ``images/x.jpg masks/x.png``.
        val_path: list file of mode val.
        test_path: list file of mode test.
        separator: what stands between the columns.
        ignore_index: mask value that becomes 255, which losses and metrics leave out.
        mask_format: what mask values mean: ``auto``, ``binary01``, ``binary255`` or ``soft``.
        img_channels: channels of the images, where the transforms' ``Normalize`` should be checked for them. One
            more than the colours (4, or 2 with grey) adds the mask of the frame before: that of ``SimulatePrior``,
            else zeros, which is what a network that takes a prior is judged with.
        edge: give batches the person's outline, too (``Batch.edges``).
        weight: how often an epoch sees each photo (fractions allowed).
        cache_mb: memory for decoded photos, kept as they are after the leading transforms without chance.
        disk_cache_mb: room on disk for the same, in MiB; later runs and other processes find it there.
        disk_cache_dir: folder of that room; default: ``samples`` in the user's cache.
        reduced_decode: decode JPEG photos at 1/2, 1/4 or 1/8 of their size where the first transform (``Resize``,
            ``LimitLong``, …) makes them that small. Quicker, and the pixels differ a little.

    Raises:
        UserError: a folder or list is missing, a line is malformed, an argument is out of range.
    """

    def __init__(
        self,
        transforms: Sequence[Any] = (),
        dataset_root: str = ".",
        num_classes: int = 2,
        mode: Literal["train", "val", "test"] = "train",
        train_path: str | None = None,
        val_path: str | None = None,
        test_path: str | None = None,
        separator: str = " ",
        ignore_index: int = 255,
        mask_format: Literal["auto", "binary01", "binary255", "soft"] = "auto",
        img_channels: Literal[1, 2, 3, 4] | None = None,
        edge: bool = False,
        weight: float = 1.0,
        cache_mb: float = 0,
        disk_cache_mb: float = 0,
        disk_cache_dir: str | None = None,
        reduced_decode: bool = False,
    ) -> None:
        if mode not in _MODES:
            raise UserError("data set: " + describe_unknown("mode", str(mode), _MODES))
        if not 2 <= num_classes <= 255:
            raise UserError(f"data set: num_classes must be from 2 to 255, got {num_classes}.")
        list_path = _list_path(mode, {"train": train_path, "val": val_path, "test": test_path}, dataset_root)
        super().__init__(
            name=list_path,
            files=read_list(list_path, dataset_root, separator, masks_optional=mode == "test"),
            pipeline=Pipeline(transforms, img_channels),
            num_classes=num_classes,
            ignore_index=ignore_index,
            mask_format=mask_format,
            edge=edge,
            weight=weight,
            cache_mb=cache_mb,
            disk_cache_mb=disk_cache_mb,
            disk_cache_dir=disk_cache_dir,
            reduced_decode=reduced_decode,
        )
        self.mode, self.dataset_root, self.list_path = mode, dataset_root, list_path


def read_list(path: str, root: str, separator: str, masks_optional: bool) -> Files:
    """Read a list file.

    Names may contain the separator: of several ways to split a line, the rightmost whose files exist counts.

    Args:
        path: UTF-8 text, one ``image<separator>mask`` a line; empty lines are skipped.
        root: folder that the names are relative to.
        separator: what stands between the columns.
        masks_optional: whether a line may name the photo alone.

    Returns:
        (image, mask or None) for each line, ``root`` included.

    Raises:
        UserError: naming file and line.
    """
    if not separator:
        raise UserError("data set: separator is empty; the usual one is a space.")
    entries: Files = []
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: the list is not UTF-8 text ({error.reason} at byte {error.start}).") from None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line:
            entries.append(_split_line(line, f"{path}:{number}", Path(root), separator, masks_optional))
    if not entries:
        raise UserError(f"{path}: the list is empty; it needs a line 'images/x.jpg{separator}masks/x.png' a photo.")
    return entries


def _split_line(line: str, where: str, root: Path, separator: str, masks_optional: bool) -> tuple[str, str | None]:
    columns = line.split(separator)
    splits = [
        (separator.join(columns[:cut]).strip(), separator.join(columns[cut:]).strip())
        for cut in range(len(columns) - 1, 0, -1)
    ]
    pairs = [(str(root / image), str(root / mask)) for image, mask in splits if image and mask]
    if masks_optional and (not pairs or (root / line).is_file()):
        return str(root / line), None
    if len(pairs) == 1:
        return pairs[0]
    for image, mask in pairs:
        if Path(image).is_file() and Path(mask).is_file():
            return image, mask
    if not pairs:
        raise UserError(f"{where}: '{line}' names no mask. Expected: images/x.jpg{separator}masks/x.png.")
    raise UserError(
        f"{where}: '{line}' has {len(columns)} columns, and no way to split it into a photo and a mask gives two "
        f"files that exist under {root}. Expected: images/x.jpg{separator}masks/x.png."
    )


def _list_path(mode: str, paths: dict[str, str | None], root: str) -> str:
    chosen = paths[mode]
    if chosen is None:
        raise UserError(f"data set: mode {mode} needs {mode}_path, the list file of its photos and masks.")
    if not Path(root).is_dir():
        raise UserError(
            f"data set: the folder dataset_root '{root}' does not exist (looked from {Path.cwd()}). "
            "data/README.md says how to fill the folders under data/."
        )
    if not Path(chosen).is_file():
        inside = Path(root) / chosen
        hint = f" '{inside}' does exist: write that." if inside.is_file() else ""
        raise UserError(f"data set: {mode}_path '{chosen}' does not exist (looked from {Path.cwd()}).{hint}")
    return chosen
