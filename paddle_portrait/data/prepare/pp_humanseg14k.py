"""PP-HumanSeg14K: frames of video conferences, 8 770 for training, 2 431 and 2 482 for judging.

``train.txt``, ``val.txt`` and ``test.txt`` name a frame and its mask a line. Masks are palette files, 1 is person;
copies that a viewer saved hold the person's grey (38) or 255 instead.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from paddle_portrait.data.datasets.list_file import read_list
from paddle_portrait.data.prepare.finding import describe_folder, flat_name, locate
from paddle_portrait.data.prepare.item import Item, Made, SkipItem, Source, copied
from paddle_portrait.data.prepare.split import SPLITS, list_path
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.image_io import read_mask

_PERSON_VALUES = ({1}, {38}, {255})


def scan(root: Path, _: argparse.Namespace) -> Source:
    """Read the lists that are there; each is its split.

    Raises:
        UserError: the folder is another one, or a list is malformed.
    """
    base = locate(root, "PP-HumanSeg14K", ("train.txt",))
    source = Source("pp_humanseg14k", "binary255")
    for split in SPLITS:
        path = list_path(base, split)
        for photo, mask in read_list(str(path), str(base), " ", masks_optional=True) if path.is_file() else []:
            _add(base, Path(photo), Path(mask) if mask else None, split, source)
    if not source.items:
        raise UserError(f"{base}: no line of its lists names a frame and a mask that exist. {describe_folder(base)}")
    return source


def _add(base: Path, photo: Path, mask: Path | None, split: str, source: Source) -> None:
    name = photo.relative_to(base).as_posix()
    if mask is None:  # the labels of the test list are not given out with every copy
        source.skip("frame without a mask", name)
    elif not photo.is_file() or not mask.is_file():
        source.skip("frame or mask not there", name)
    else:
        item = Item(flat_name(photo.relative_to(base)), (photo, mask), partial(_make, photo, mask), split)
        source.items.append(item)


def _make(photo: Path, mask: Path) -> Made:
    return copied(photo, lambda _: _label(mask))


def _label(path: Path) -> np.ndarray:
    values = read_mask(path)
    present = {int(value) for value in np.unique(values)} - {0}
    if present and present not in _PERSON_VALUES:
        shown = f"values {sorted(present)[:6]}; 0 and 1, 38 or 255 are known"
        raise SkipItem("mask cannot be read", f"{path.name}: {shown}")
    return np.where(values > 0, 255, 0).astype(np.uint8)
