"""Mattes of a prepared set to masks of 0 and 255: person is what is above a threshold."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from paddle_portrait.data.prepare.item import Item, Made, SkipItem, Source, copied
from paddle_portrait.data.prepare.stored import Stored, read_set, reader_of
from paddle_portrait.errors import UserError


def scan(root: Path, arguments: argparse.Namespace) -> Source:
    """Collect the pictures of a set with mattes; they keep their lists.

    Raises:
        UserError: there is no set, its masks are class numbers already, or the threshold is out of range.
    """
    if not 0 <= arguments.threshold <= 254:
        raise UserError(f"--threshold is {arguments.threshold}; it must be from 0 to 254 (the usual one is 127).")
    pictures = read_set(root)
    reader = reader_of([picture.mask for picture in pictures if picture.mask])
    if reader.kind == "indices":
        raise UserError(f"{root}: its masks are {reader.describe()} already ({reader.reason}); nothing to split.")
    source = Source("binarise", "binary255", settings={"threshold": arguments.threshold}, keeps_lists=True)

    def label(mask: Path) -> np.ndarray:
        share = reader.read(str(mask)).astype(np.float64)
        return np.where(share * 255 > arguments.threshold + 1e-4, 255, 0).astype(np.uint8)

    def make(picture: Stored) -> Made:
        mask = picture.mask
        if mask is None:
            raise SkipItem("photo without a mask")
        return copied(picture.image, lambda _: label(mask))

    for picture in pictures:
        source.items.append(Item(picture.image.stem, picture.inputs, partial(make, picture), picture.split))
    return source
