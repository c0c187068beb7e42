"""Pascal VOC: the photos with persons of ``SegmentationClass`` (palette PNG: 15 is person, 255 is undecided)."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from paddle_portrait.data.prepare.finding import list_files, locate
from paddle_portrait.data.prepare.item import Item, Made, SkipItem, Source, copied
from paddle_portrait.data.prepare.label_values import IGNORED, PERSON
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.image_io import read_mask

_PERSON_CLASS, _LAST_CLASS = 15, 20


def scan(root: Path, _: argparse.Namespace) -> Source:
    """Pair the masks of ``SegmentationClass`` with ``JPEGImages``; the lists of ``ImageSets`` give the split.

    Raises:
        UserError: the folder is another one.
    """
    base = locate(root, "Pascal VOC", ("JPEGImages", "SegmentationClass"))
    source = Source("voc", "binary01")
    official = {name: split for split in ("train", "val") for name in _names(base, split)}
    for mask in list_files(base / "SegmentationClass", [".png"], source):
        photo = base / "JPEGImages" / f"{mask.stem}.jpg"
        if photo.is_file():
            item = Item(mask.stem, (photo, mask), partial(_make, photo, mask), official.get(mask.stem))
            source.items.append(item)
        else:
            source.skip("mask without a photo", mask.name)
    return source


def _names(base: Path, split: str) -> list[str]:
    path = base / "ImageSets" / "Segmentation" / f"{split}.txt"
    return path.read_text(encoding="utf-8").split() if path.is_file() else []


def _make(photo: Path, mask: Path) -> Made:
    return copied(photo, lambda _: _label(mask))


def _label(path: Path) -> np.ndarray:
    try:
        values = read_mask(path)
    except UserError as error:
        raise SkipItem("mask cannot be read", f"{error} VOC's masks are palette files.") from error
    strange = sorted({int(value) for value in np.unique(values)} - {*range(_LAST_CLASS + 1), IGNORED})
    if strange:
        raise SkipItem("mask cannot be read", f"{path.name}: values {strange[:5]}; 0..{_LAST_CLASS} and 255 are VOC's")
    return np.where(values == _PERSON_CLASS, PERSON, np.where(values == IGNORED, IGNORED, 0)).astype(np.uint8)
