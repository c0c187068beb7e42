"""What the values of a data set's masks mean, decided once for the whole data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from paddle_portrait.data.sample import IGNORE
from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.preprocess.image_io import is_jpeg, read_mask

MASK_FORMATS = ("auto", "binary01", "binary255", "soft")
_KINDS = {"binary01": "indices", "binary255": "binary255", "soft": "soft"}
_SAMPLED_MASKS = 48
_SHOWN_VALUES = 8


@dataclass(frozen=True)
class MaskReader:
    """Turns mask files into labels.

    Attributes:
        kind: ``indices`` (class numbers), ``binary255`` or ``soft``.
        num_classes: classes that ``indices`` may name.
        ignore_index: value of ignored pixels in ``indices`` files.
        full: value of a certain person in ``binary255`` and ``soft`` files of 16 bits, 255 or 65535; in files
            of 8 bits it is 255.
        ignores: whether ``indices`` masks were seen that hold persons beside ignored pixels.
        reason: how the kind was chosen, for the log.
    """

    kind: str
    num_classes: int = 2
    ignore_index: int = IGNORE
    full: int = 255
    ignores: bool = False
    reason: str = ""

    @property
    def soft(self) -> bool:
        """Whether labels are probabilities."""
        return self.kind == "soft"

    def read(self, path: str) -> np.ndarray:
        """Return the label of a file: uint8 H×W of class indices, or float32 H×W in [0, 1].

        Raises:
            UserError: the file's values do not fit the data set's interpretation.
        """
        return self.interpret(read_mask(path), path)

    def interpret(self, values: np.ndarray, path: str) -> np.ndarray:
        """Like :meth:`read`, for values that were already read."""
        if self.kind == "indices":
            return self._indices(values, path)
        full = self.full if values.dtype == np.uint16 else 255
        if int(values.max()) == 1 or int(values.max()) > full:
            raise UserError(
                f"{path}: mask values {show_values(present_values(values))}, but the masks of this data set are "
                f"{self.describe()} ({self.reason}). Convert the file, or set mask_format "
                f"({', '.join(MASK_FORMATS)}) if all files are like it."
            )
        if self.soft:
            return values.astype(np.float32) / np.float32(full)
        return (values > full // 2).astype(np.uint8)

    def describe(self) -> str:
        """Say what the values mean."""
        if self.kind == "indices":
            return f"class indices 0..{self.num_classes - 1}, {self.ignore_index} = ignore"
        if self.soft:
            return f"soft: 0 = background .. {self.full} = person"
        return f"binary: 0 = background, {self.full} = person"

    def _indices(self, values: np.ndarray, path: str) -> np.ndarray:
        if int(values.max()) < self.num_classes and self.ignore_index >= self.num_classes:
            return values.astype(np.uint8, copy=False)
        present = set(present_values(values))
        if present - {self.ignore_index, *range(self.num_classes)}:
            raise UserError(
                f"{path}: mask values {show_values(present)}, but the masks of this data set are "
                f"{self.describe()} ({self.reason}). Convert the file, or set mask_format: binary255 if "
                f"{max(present)} means person, or soft if values in between are wanted."
            )
        if self.num_classes == 2 and present == {0, 255} and not self.ignores:
            raise UserError(
                f"{path}: mask values {show_values(present)}: 255 would be ignored in training and no "
                f"pixel is a person, but the masks of this data set are {self.describe()} ({self.reason}). "
                "Set mask_format: binary255 if 255 means person."
            )
        if self.ignore_index != IGNORE:
            values = np.where(values == self.ignore_index, IGNORE, values)
        return values.astype(np.uint8, copy=False)


def choose_reader(files: Sequence[str], mask_format: str, num_classes: int, ignore_index: int) -> MaskReader:
    """Decide how the masks of a data set are read.

    Args:
        files: all mask files.
        mask_format: ``auto``, or one of the other formats, which is then only completed (8 or 16 bits).
        num_classes: above 2, masks are always class indices.
        ignore_index: value of ignored pixels.

    Raises:
        UserError: masks are JPEG files whose values cannot be trusted, or hold values of no known kind.
    """
    if mask_format not in MASK_FORMATS:
        raise UserError(describe_unknown("mask_format", mask_format, MASK_FORMATS))
    if num_classes > 2 and mask_format not in ("auto", "binary01"):
        raise UserError(f"mask_format {mask_format} is for two classes, not {num_classes}; leave it out.")
    sampled = _spread(files)
    _check_jpeg(sampled, mask_format)
    seen = [set(present_values(mask)) for mask in map(read_mask, sampled)]
    values = set().union(*seen)
    ignores = any({1, ignore_index} <= present for present in seen)
    full = 65535 if max(values, default=0) > 255 else 255
    kind, reason = mask_format, "as mask_format says"
    if mask_format == "auto" and num_classes != 2:
        kind, reason = "binary01", f"num_classes is {num_classes}"
    elif mask_format == "auto":
        kind, reason = _guess_kind(values), f"seen in {len(sampled)} of {len(files)} masks: {show_values(values)}"
    return MaskReader(_KINDS[kind], num_classes, ignore_index, full, ignores, reason)


def present_values(values: np.ndarray) -> list[int]:
    """Return the sorted distinct values of a mask, without sorting all its pixels."""
    return np.flatnonzero(np.bincount(values.ravel())).tolist()


def show_values(values: Iterable[int]) -> str:
    """Write a set of values for a message: ``{0, 1, 255}`` or ``{0, 3, 7, … 255} (97 values)``."""
    ordered = sorted(int(value) for value in values)
    if len(ordered) <= _SHOWN_VALUES:
        return "{" + ", ".join(map(str, ordered)) + "}"
    return "{" + ", ".join(map(str, ordered[:5])) + f", … {ordered[-1]}}} ({len(ordered)} values)"


def _guess_kind(values: set[int]) -> str:
    if values <= {0, 1, IGNORE} and 1 in values:
        return "binary01"
    return "binary255" if values <= {0, 255} or values <= {0, 65535} else "soft"


def _spread(files: Sequence[str]) -> list[str]:
    count = min(len(files), _SAMPLED_MASKS)
    return [files[i * len(files) // count] for i in range(count)]


def _check_jpeg(files: Sequence[str], mask_format: str) -> None:
    from paddle_portrait.console import logger

    jpegs = [path for path in files if _looks_like_jpeg(path)]
    if not jpegs:
        return
    if mask_format in ("auto", "binary01"):
        raise UserError(
            f"{jpegs[0]}: the mask is a JPEG file, whose compression smears the values around every outline (or the "
            "columns of the list are swapped). Save masks as PNG; or set mask_format: binary255 (split at half) or "
            "soft (as they are) to use them so."
        )
    logger.warning("%s and others: JPEG masks have smeared outlines; boundary scores will suffer", jpegs[0])


def _looks_like_jpeg(path: str) -> bool:
    try:
        return is_jpeg(path)
    except OSError:
        raise UserError(f"{path}: the mask does not exist or cannot be read.") from None
