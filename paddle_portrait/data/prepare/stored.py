"""Data sets in this project's layout, to be made into other ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paddle_portrait.data.datasets.list_file import read_list
from paddle_portrait.data.masks import MaskReader, choose_reader
from paddle_portrait.data.prepare.finding import describe_folder
from paddle_portrait.data.prepare.split import SPLITS, list_path
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.image_io import read_mask

_LOOKED_AT = 48  # masks that decide what the values mean
FORMATS = {"indices": "binary01", "binary255": "binary255", "soft": "soft"}


@dataclass(frozen=True)
class Stored:
    """One picture of a set in this project's layout."""

    split: str
    image: Path
    mask: Path | None

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files of the picture."""
        return (self.image,) if self.mask is None else (self.image, self.mask)


def read_set(root: Path) -> list[Stored]:
    """Return the pictures of the lists train.txt, val.txt and test.txt that are there.

    Raises:
        UserError: there is no such list, or it names files that do not exist.
    """
    lists = [(split, list_path(root, split)) for split in SPLITS if list_path(root, split).is_file()]
    if not lists:
        found = describe_folder(root) if root.is_dir() else f"There is no such folder (looked from {Path.cwd()})."
        raise UserError(f"{root}: no prepared set. Expected: images, masks and train.txt or val.txt. {found}")
    pictures = [
        Stored(split, Path(image), Path(mask) if mask else None)
        for split, path in lists
        for image, mask in read_list(str(path), str(root), " ", masks_optional=split == "test")
    ]
    missing = [str(path) for picture in pictures for path in picture.inputs if not path.is_file()]
    if missing:
        raise UserError(f"{root}: {len(missing)} files of its lists do not exist, such as {missing[0]}.")
    return pictures


def reader_of(masks: Sequence[Path], mask_format: str = "auto") -> MaskReader:
    """Return what reads the masks of a set; see ``mask_format`` of the data sets.

    Masks that cannot be read have no say: they are skipped one by one later.

    Raises:
        UserError: the masks are of no known kind, or none of those looked at can be read.
    """
    step = max(1, len(masks) // _LOOKED_AT)
    looked_at = [str(path) for path in masks[::step]]
    readable = [path for path in looked_at if _is_readable(path)]
    return choose_reader(readable or looked_at, mask_format, 2, 255)


def _is_readable(path: str) -> bool:
    try:
        read_mask(path)
    except UserError:
        return False
    return True


def as_mask(label: np.ndarray, mask_format: str) -> np.ndarray:
    """Return a label as the uint8 values of a mask file.

    Args:
        label: uint8 class indices, or float32 shares of the person in [0, 1] (255: ignored, counted as person).
        mask_format: ``binary01``, ``binary255`` or ``soft``.
    """
    if mask_format == "soft":
        return np.rint(np.minimum(label, 1) * 255).astype(np.uint8)
    return label if mask_format == "binary01" else (label * 255).astype(np.uint8)
