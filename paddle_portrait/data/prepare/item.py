"""What a source hands over: pictures that can be made, one at a time, and what it left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.image_io import read_image

PERSON_FROM = {"binary01": 1, "binary255": 128, "soft": 128}  # mask value from which a pixel counts as the person


class SkipItem(Exception):
    """A picture that cannot be used; the others go on.

    Attributes:
        reason: the same few words for all pictures with this fault, for the summary.
        detail: what is wrong with this one.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Made:
    """One picture, ready to be written.

    Attributes:
        image: content of the image file.
        suffix: its extension, such as ``.jpg``.
        mask: uint8 H×W, or None for photos without a label.
        origin: the file that ``image`` was read from unchanged, which may be linked to instead.
    """

    image: bytes
    suffix: str
    mask: np.ndarray | None
    origin: Path | None = None


@dataclass(frozen=True)
class Item:
    """One picture of a source.

    Attributes:
        name: file name in the prepared set, without extension; made unique by :func:`prepare`.
        inputs: files that the picture is made from, the photo first; when one of them changes, it is made again.
        make: reads and returns the picture; raises SkipItem or UserError when it cannot be used.
        split: ``train``, ``val`` or ``test`` where the source says so, else None.
    """

    name: str
    inputs: tuple[Path, ...]
    make: Callable[[], Made]
    split: str | None = None


@dataclass
class Source:
    """The pictures of a data set on disk.

    Attributes:
        kind: name of the source, such as ``coco``.
        mask_format: what the written masks hold, as ``mask_format`` of the data sets says.
        items: pictures in any order.
        skipped: reason to the files that are no picture with a mask.
        settings: choices that change what is written.
        keeps_lists: whether the pictures' lists are final, so that none is drawn for validation.
    """

    kind: str
    mask_format: str
    items: list[Item] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    keeps_lists: bool = False

    def skip(self, reason: str, name: str) -> None:
        """Count a file that is left out."""
        self.skipped.setdefault(reason, []).append(name)


def copied(photo: Path, mask: Callable[[tuple[int, int]], np.ndarray]) -> Made:
    """Return a photo as it is on the disk with its mask.

    Args:
        photo: the image file.
        mask: gives the uint8 H×W mask for the photo's (height, width).

    Raises:
        SkipItem: one of them cannot be read, or their sizes differ.
    """
    try:
        content = photo.read_bytes()
        size_hw = read_image(content).shape[:2]
    except (OSError, UserError) as error:
        raise SkipItem("photo cannot be read", f"{photo.name}: {error}") from error
    values = read_label(lambda: mask((size_hw[0], size_hw[1])))
    if values.shape != size_hw:
        shown = f"photo {size_hw[1]}x{size_hw[0]}, mask {values.shape[1]}x{values.shape[0]} (width x height)"
        raise SkipItem("mask and photo differ in size", f"{photo.name}: {shown}")
    return Made(content, photo.suffix.lower(), values, photo)


def read_label(read: Callable[[], np.ndarray]) -> np.ndarray:
    """Call ``read`` and turn a user's error into a skipped picture."""
    try:
        return read()
    except UserError as error:
        raise SkipItem("mask cannot be read", str(error)) from error
