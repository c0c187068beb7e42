"""A plain folder of photos and of masks or mattes, matched by name."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from paddle_portrait.data.prepare.finding import PHOTO_SUFFIXES, describe_folder, flat_name, list_files
from paddle_portrait.data.prepare.item import Item, Made, Source, copied
from paddle_portrait.data.prepare.label_values import read_alpha
from paddle_portrait.data.prepare.stored import FORMATS, as_mask, reader_of
from paddle_portrait.errors import UserError


def scan(root: Path, arguments: argparse.Namespace) -> Source:
    """Pair ``images/a/x.jpg`` with ``masks/a/x.png`` (or ``x_mask.png`` with that suffix).

    Raises:
        UserError: a folder is missing, or the masks are of no known kind.
    """
    photos_in, masks_in, suffix = root / arguments.images, root / arguments.masks, arguments.mask_suffix
    _check_folders(root, photos_in, masks_in, suffix)
    source = Source("folder", "soft", settings={"alpha": arguments.alpha, "mask_format": arguments.mask_format})
    masks = {
        _key(path, masks_in).removesuffix(suffix): path
        for path in list_files(masks_in, PHOTO_SUFFIXES, source)
        if path.stem.endswith(suffix)
    }
    same = photos_in.resolve() == masks_in.resolve()
    photos = list_files(photos_in, PHOTO_SUFFIXES, None if same else source)
    pairs: list[tuple[Path, Path]] = []
    taken = set(masks.values()) if same else set()
    used: set[str] = set()
    for photo in (photo for photo in photos if photo not in taken):
        key = _key(photo, photos_in)
        if key in masks:
            pairs.append((photo, masks[key]))
            used.add(key)
        else:
            source.skip("photo without a mask", photo.relative_to(root).as_posix())
    for key in sorted(masks.keys() - used):
        source.skip("mask without a photo", masks[key].relative_to(root).as_posix())
    _add_pairs(pairs, photos_in, arguments, source)
    return source


def _check_folders(root: Path, photos: Path, masks: Path, suffix: str) -> None:
    for flag, folder in (("--images", photos), ("--masks", masks)):
        if not folder.is_dir():
            found = describe_folder(root) if root.is_dir() else f"{root} does not exist (looked from {Path.cwd()})."
            raise UserError(f"{folder}: no such folder; {flag} names it, relative to {root}. {found}")
    if photos.resolve() == masks.resolve() and not suffix:
        raise UserError(f"{photos}: photos and masks in one folder need --mask_suffix, such as _mask, to tell them.")


def _key(path: Path, base: Path) -> str:
    return path.relative_to(base).with_suffix("").as_posix()


def _add_pairs(pairs: list[tuple[Path, Path]], base: Path, arguments: argparse.Namespace, source: Source) -> None:
    if not pairs:
        return
    reader = None if arguments.alpha else reader_of([mask for _, mask in pairs], arguments.mask_format)
    source.mask_format = "soft" if reader is None else FORMATS[reader.kind]

    def label(mask: Path) -> np.ndarray:
        return read_alpha(mask) if reader is None else as_mask(reader.read(str(mask)), source.mask_format)

    def make(photo: Path, mask: Path) -> Made:
        return copied(photo, lambda _: label(mask))

    for photo, mask in pairs:
        source.items.append(Item(flat_name(photo.relative_to(base)), (photo, mask), partial(make, photo, mask)))
