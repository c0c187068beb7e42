"""EG1800: portraits of Shen et al., "Automatic Portrait Segmentation for Image Stylization" (Eurographics 2016).

The authors' release has ``images_data_crop/00001.jpg``, ``images_mask/00001_mask.mat`` (variable ``mask``),
``trainlist.mat`` and ``testlist.mat``. Copies in use since keep the masks as ``GT_png/00001_mask.png`` or
``Labels/00001.png`` (with ``Images/``), and the lists as ``eg1800_train.txt`` and ``eg1800_test.txt``.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from paddle_portrait.data.prepare.finding import PHOTO_SUFFIXES, describe_folder, list_files, locate
from paddle_portrait.data.prepare.item import Item, Made, Source, copied
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.image_io import read_mask

_LAYOUTS = (("images_data_crop", "images_mask"), ("images_data_crop", "GT_png"), ("Images", "Labels"))
_LISTS = {
    "train": ("trainlist.mat", "eg1800_train.txt", "EG1800_train.txt", "train.txt"),
    "val": ("eg1800_val.txt", "EG1800_val.txt", "val.txt"),
    "test": ("testlist.mat", "eg1800_test.txt", "EG1800_test.txt", "test.txt"),
}


def scan(root: Path, _: argparse.Namespace) -> Source:
    """Pair photos and masks by their number; the lists of the set, where there are any, give the split.

    Raises:
        UserError: the folder is another one, or a list cannot be read.
    """
    base, photos, masks = _locate(root)
    source = Source("eg1800", "binary255")
    official = {number: split for split, names in _LISTS.items() for number in _numbers(base, names)}
    by_number = {_number(path): path for path in list_files(masks, [".mat", ".png"], source)}
    for photo in list_files(photos, PHOTO_SUFFIXES, source):
        number = _number(photo)
        mask = by_number.pop(number, None)
        if mask is None:
            source.skip("photo without a mask", photo.name)
            continue
        source.items.append(Item(photo.stem, (photo, mask), partial(_make, photo, mask), official.get(number)))
    for mask in by_number.values():
        source.skip("mask without a photo", mask.name)
    return source


def _locate(root: Path) -> tuple[Path, Path, Path]:
    for photos, masks in _LAYOUTS:
        try:
            base = locate(root, "EG1800", (photos, masks))
        except UserError:
            continue
        return base, base / photos, base / masks
    expected = "; or ".join(" and ".join(layout) for layout in _LAYOUTS)
    if not root.is_dir():
        raise UserError(f"{root}: this folder does not exist (looked from {Path.cwd()}).")
    raise UserError(f"{root}: no EG1800 set. Expected there: {expected}. {describe_folder(root)}")


def _number(path: Path) -> int | str:
    digits = re.match(r"\d+", path.stem)
    return int(digits.group()) if digits else path.stem


def _numbers(base: Path, names: tuple[str, ...]) -> Iterator[int | str]:
    path = next((base / name for name in names if (base / name).is_file()), None)
    if path is None:
        return
    if path.suffix == ".mat":
        yield from (int(number) for number in _variable(path, path.stem).ravel())
    else:
        lines = path.read_text(encoding="utf-8").splitlines()
        yield from (_number(Path(line.split()[0])) for line in lines if line.strip())


def _variable(path: Path, name: str) -> np.ndarray[Any, Any]:
    """Return the variable of that name, or the only one of a MATLAB file."""
    from scipy.io import loadmat

    try:
        content = loadmat(path)
    except NotImplementedError:
        raise UserError(f"{path}: a MATLAB 7.3 file; save it with -v7.") from None
    except Exception as error:  # SciPy raises many kinds for a damaged file
        raise UserError(f"{path}: no MATLAB file that can be read ({error}).") from error
    arrays = {key: value for key, value in content.items() if not key.startswith("__")}
    if name not in arrays and len(arrays) != 1:
        raise UserError(f"{path}: no variable '{name}'; there are: {', '.join(sorted(arrays)) or 'none'}.")
    return arrays.get(name, next(iter(arrays.values())))


def _make(photo: Path, mask: Path) -> Made:
    return copied(photo, lambda _: _label(mask))


def _label(path: Path) -> np.ndarray:
    values = _variable(path, "mask") if path.suffix == ".mat" else read_mask(path)
    if values.ndim != 2 or values.dtype.kind not in "buif":
        raise UserError(f"{path}: a mask of shape {values.shape} and type {values.dtype}; numbers H×W are expected.")
    # Masks come as 0 and 1, or as 0 and 255.
    full = 1 if values.max(initial=0) <= 1 else 255
    return np.where(values.astype(np.float64) * 2 > full, 255, 0).astype(np.uint8)
