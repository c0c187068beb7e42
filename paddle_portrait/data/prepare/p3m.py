"""P3M-10k: 9 421 portraits for training and two times 500 for judging, with mattes; faces of most are blurred.

Li et al., "Privacy-Preserving Portrait Matting" (ACM MM 2021): ``train/blurred_image`` and ``train/mask``;
``validation/P3M-500-P/blurred_image``, ``validation/P3M-500-NP/original_image``, each with ``mask`` and ``trimap``.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from paddle_portrait.data.prepare.finding import PHOTO_SUFFIXES, list_files, locate
from paddle_portrait.data.prepare.item import Item, Made, Source, copied
from paddle_portrait.preprocess.image_io import read_mask

# Where the photos of a part lie, and its list: the faces of P3M-500-NP are not blurred, so its score is another one.
_PARTS = (
    ("train", ("blurred_image", "original_image"), "train"),
    ("validation/P3M-500-P", ("blurred_image", "original_image"), "val"),
    ("validation/P3M-500-NP", ("original_image", "blurred_image"), "test"),
)


def scan(root: Path, _: argparse.Namespace) -> Source:
    """Pair photos and mattes of the parts that are there.

    Raises:
        UserError: the folder is another one.
    """
    base = locate(root, "P3M-10k", ("train", "validation"))
    locate(base / "train", "P3M-10k", ("mask",))
    source = Source("p3m", "soft")
    for part, folders, split in _PARTS:
        photos = next((base / part / name for name in folders if (base / part / name).is_dir()), None)
        if photos is None:
            source.skip("part not there", part)
        else:
            _scan_part(photos, split, source)
    return source


def _scan_part(photos: Path, split: str, source: Source) -> None:
    part = photos.parent
    mattes = {path.stem: path for path in list_files(part / "mask", [".png"], source)}
    for photo in list_files(photos, PHOTO_SUFFIXES, source):
        matte = mattes.pop(photo.stem, None)
        if matte is None:
            source.skip("photo without a matte", f"{part.name}/{photos.name}/{photo.name}")
        else:
            make = partial(_make, photo, matte)
            source.items.append(Item(f"{part.name}_{photo.stem}", (photo, matte), make, split))
    for matte in mattes.values():
        source.skip("matte without a photo", f"{part.name}/mask/{matte.name}")


def _make(photo: Path, matte: Path) -> Made:
    return copied(photo, lambda _: read_mask(matte))
