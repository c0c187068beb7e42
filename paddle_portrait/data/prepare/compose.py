"""A synthetic set on disk: the people of a prepared set before other backgrounds.

The composing is :class:`~paddle_portrait.data.transforms.backgrounds.RandomBackground`'s, done once instead of in every
epoch; github.com/anilsathyan7/Portrait-Segmentation made its training set so.
"""

from __future__ import annotations

import argparse
import hashlib
from functools import partial
from pathlib import Path

import numpy as np

from paddle_portrait.data.prepare.item import Item, Made, Source, read_label
from paddle_portrait.data.prepare.stored import FORMATS, Stored, as_mask, read_set, reader_of
from paddle_portrait.data.prepare.writing import encode_jpeg
from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms.backgrounds import RandomBackground, list_photos
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.image_io import read_image


def scan(root: Path, arguments: argparse.Namespace) -> Source:
    """Plan ``per_person`` pictures of every person; each stays in the list that the person is in.

    Raises:
        UserError: there is no set, no background, or a number is out of range.
    """
    if arguments.per_person < 1:
        raise UserError(f"--per_person is {arguments.per_person}; it must be 1 or more.")
    pictures = [picture for picture in read_set(root) if picture.mask is not None]
    reader = reader_of([picture.mask for picture in pictures if picture.mask])
    mask_format = FORMATS[reader.kind]
    backgrounds = None if arguments.backgrounds is None else str(arguments.backgrounds)
    change = RandomBackground(1.0, backgrounds, landscape_prob=arguments.landscape_prob)
    settings = {"backgrounds": _describe(backgrounds), "landscape_prob": arguments.landscape_prob}
    source = Source("compose", mask_format, settings={**settings, "draw_seed": arguments.seed}, keeps_lists=True)

    def make(picture: Stored, name: str) -> Made:
        label = read_label(lambda: reader.read(str(picture.mask)))
        sample = Sample(read_image(picture.image), label, str(picture.image), str(picture.mask))
        if sample.image.shape[:2] != label.shape:
            raise UserError(f"{picture.image}: photo and mask differ in size.")
        composed = change(sample, _rng(arguments.seed, name))
        assert composed.label is not None  # of a sample with a label
        return Made(encode_jpeg(composed.image), ".jpg", as_mask(composed.label, mask_format))

    for picture in pictures:
        for number in range(arguments.per_person):
            name = f"{picture.image.stem}_bg{number}"
            source.items.append(Item(name, picture.inputs, partial(make, picture, name), picture.split))
    return source


def _rng(seed: int, name: str) -> np.random.Generator:
    """Return the chance of one picture: its own, whichever are made before it."""
    digest = hashlib.sha256(name.encode("utf-8")).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])


def _describe(folder: str | None) -> str:
    """Return what changes when the backgrounds do: other ones mean other pictures."""
    if folder is None:
        return "generated rooms"
    facts = [(Path(path).name, Path(path).stat().st_size) for path in list_photos(folder)]
    return f"{len(facts)} photos, {hashlib.sha256(str(facts).encode()).hexdigest()[:12]}"
