"""What one photo and its mask are, told by decoding both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from paddle_portrait.data.checks.looks import look_of
from paddle_portrait.data.masks import MaskReader
from paddle_portrait.data.sample import IGNORE
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.image_io import is_jpeg, read_image, read_mask

# A picture whose two commonest values cover this much of it is drawn, not photographed.
_FLAT_SHARE = 0.9
_BUSY_SHARE = 0.5


@dataclass(frozen=True)
class MaskFacts:
    """How a data set's interpretation reads one mask; shares are of its pixels that are not ignored.

    Attributes:
        values: the raw values that occur, sorted.
        rejected: why the interpretation refuses the mask, or "".
        person: share of the person.
        ignored: share of ignored pixels.
        frame: smallest share of the person along the top, left and right edges.
        centre: share of the person in the middle ninth.
    """

    values: tuple[int, ...]
    rejected: str = ""
    person: float = 0.0
    ignored: float = 0.0
    frame: float = 0.0
    centre: float = 0.0


@dataclass(frozen=True)
class PairFacts:
    """One line of a list, looked into.

    Attributes:
        image: file of the photo.
        label: file of the mask, or None.
        image_hw: height and width of the photo, EXIF orientation applied; None when it cannot be read.
        label_hw: height and width of the mask; None when it cannot be read as one.
        image_problem: why the photo cannot be read, or "".
        label_problem: why the mask cannot be read, or "".
        look: hash of the photo's looks (see :func:`looks.look_of`), 0 when there is none.
        image_is_flat: whether the photo has so few grey values that it looks like a mask.
        label_is_photo: whether the mask looks like a photo.
        label_is_coloured: whether the mask is a picture in colours.
        label_is_jpeg: whether the mask, one that can be read, is a JPEG file.
        mask: how the mask is read; None when it cannot be.
    """

    image: str
    label: str | None
    image_hw: tuple[int, int] | None = None
    label_hw: tuple[int, int] | None = None
    image_problem: str = ""
    label_problem: str = ""
    image_is_flat: bool = False
    look: int = 0
    label_is_photo: bool = False
    label_is_coloured: bool = False
    label_is_jpeg: bool = False
    mask: MaskFacts | None = None

    @property
    def is_swapped(self) -> bool:
        """Whether the columns of the line look exchanged."""
        return self.image_is_flat and self.label_is_photo


def inspect_pair(image: str, label: str | None, reader: MaskReader) -> PairFacts:
    """Decode a photo and its mask, both existing files, and describe them; raises nothing for bad files."""
    facts: dict[str, Any] = {}
    try:
        pixels = read_image(image)
        is_flat = _is_grey(pixels) and _flatness(pixels) > _FLAT_SHARE
        facts.update(image_hw=pixels.shape[:2], image_is_flat=is_flat, look=look_of(pixels))
    except UserError as error:
        facts["image_problem"] = str(error)
    if label is not None:
        facts.update(_inspect_label(label, reader))
    return PairFacts(image, label, **facts)


def _inspect_label(label: str, reader: MaskReader) -> dict[str, Any]:
    try:
        values = read_mask(label)
    except UserError as error:
        try:
            pixels = read_image(label)
        except UserError:
            return {"label_problem": str(error)}
        return {"label_is_coloured": True, "label_is_photo": _flatness(pixels) < _BUSY_SHARE}
    return {
        "label_hw": values.shape,
        "label_is_photo": _flatness(values) < _BUSY_SHARE,
        "label_is_jpeg": is_jpeg(label),
        "mask": describe_mask(values, label, reader),
    }


def describe_mask(values: np.ndarray, path: str, reader: MaskReader) -> MaskFacts:
    """Describe the raw values of a mask, uint8 or uint16 (H, W), as ``reader`` reads them."""
    present = tuple(np.flatnonzero(np.bincount(values.ravel())).tolist())
    try:
        label = reader.interpret(values, path)
    except UserError as error:
        return MaskFacts(present, rejected=str(error))
    known = label != IGNORE
    person = (label > 0.5 if reader.soft else label > 0) & known
    h, w = label.shape[:2]
    # Strips, not lines: the outermost pixels of a mask are often cut or blurred.
    depth_y, depth_x = max(1, h // 50), max(1, w // 50)
    edges = (np.s_[:depth_y], np.s_[:, :depth_x], np.s_[:, -depth_x:])
    middle = np.s_[h // 3 : h - h // 3, w // 3 : w - w // 3]
    return MaskFacts(
        present,
        person=_share(person, known),
        ignored=1.0 - int(np.count_nonzero(known)) / known.size,
        frame=min(_share(person[edge], known[edge]) for edge in edges),
        centre=_share(person[middle], known[middle]),
    )


def _share(part: np.ndarray, whole: np.ndarray) -> float:
    return int(np.count_nonzero(part)) / max(1, int(np.count_nonzero(whole)))


def _is_grey(pixels: np.ndarray) -> bool:
    return np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 0], pixels[..., 2])


def _flatness(pixels: np.ndarray) -> float:
    """Share of the two commonest values of a picture's first channel."""
    channel = pixels[..., 0] if pixels.ndim == 3 else pixels
    counts = np.bincount(channel.ravel())
    return float(np.sort(counts)[-2:].sum() / channel.size)
