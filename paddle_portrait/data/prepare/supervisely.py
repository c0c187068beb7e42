"""Supervisely Person: 5 711 photos with polygons and bitmaps of persons.

Every folder ``ds1`` … ``ds13`` has ``img/NAME.png`` and ``ann/NAME.png.json`` (``ann/NAME.json`` in the first
edition). A bitmap is a PNG of the object alone, zlib-packed, in base64, with its upper left corner in the photo.
Class ``neutral`` marks regions that nobody decided; photos tagged ``not-marked-people`` show people without a mask.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from paddle_portrait.data.prepare.finding import PHOTO_SUFFIXES, describe_folder, flat_name, list_files, locate
from paddle_portrait.data.prepare.item import Item, Made, SkipItem, Source, copied
from paddle_portrait.data.prepare.label_values import IGNORED, PERSON, read_alpha
from paddle_portrait.errors import UserError

_UNMARKED = "not-marked-people"


def scan(root: Path, _: argparse.Namespace) -> Source:
    """Pair the photos with their annotation files.

    Raises:
        UserError: the folder is another one.
    """
    base = locate(root, "Supervisely Person", ("meta.json",))
    folders = sorted(path.parent for path in base.glob("*/ann") if (path.parent / "img").is_dir())
    if not folders:
        expected = "folders such as ds1 with img and ann in them"
        raise UserError(f"{base}: no Supervisely Person set. Expected: {expected}. {describe_folder(base)}")
    source = Source("supervisely", "binary01")
    for folder in folders:
        _scan_folder(folder, source)
    return source


def _scan_folder(folder: Path, source: Source) -> None:
    for photo in list_files(folder / "img", PHOTO_SUFFIXES, source):
        candidates = (folder / "ann" / f"{photo.name}.json", folder / "ann" / f"{photo.stem}.json")
        annotation = next((path for path in candidates if path.is_file()), None)
        if annotation is None:
            source.skip("photo without an annotation", f"{folder.name}/img/{photo.name}")
            continue
        name = f"{folder.name}_{flat_name(Path(photo.name))}"
        source.items.append(Item(name, (photo, annotation), partial(_make, photo, annotation)))


def _make(photo: Path, annotation: Path) -> Made:
    try:
        content = json.loads(annotation.read_text(encoding="utf-8"))
        tags = [tag["name"] if isinstance(tag, dict) else str(tag) for tag in content.get("tags", [])]
        if _UNMARKED in tags:
            raise SkipItem(f"tagged {_UNMARKED}")
        label = _draw(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SkipItem("mask cannot be read", f"{annotation.name}: {type(error).__name__} {error}") from error
    return copied(photo, lambda _: label)


def _draw(content: dict[str, Any]) -> np.ndarray:
    size_hw = int(content["size"]["height"]), int(content["size"]["width"])
    person, neutral = np.zeros(size_hw, bool), np.zeros(size_hw, bool)
    for found in content["objects"]:
        title = str(found["classTitle"]).lower()
        if title.startswith("person"):
            person |= _region(found, size_hw)
        elif title == "neutral":
            neutral |= _region(found, size_hw)
    return np.where(person, PERSON, np.where(neutral, IGNORED, 0)).astype(np.uint8)


def _region(found: dict[str, Any], size_hw: tuple[int, int]) -> np.ndarray:
    if found.get("bitmap"):  # present and null beside a polygon
        return _paste(_unpack(found["bitmap"]["data"]), found["bitmap"]["origin"], size_hw)
    canvas = np.zeros(size_hw, np.uint8)
    cv2.fillPoly(canvas, [np.asarray(found["points"]["exterior"], np.float64).round().astype(np.int32)], 1)
    for hole in found["points"].get("interior", []):
        cv2.fillPoly(canvas, [np.asarray(hole, np.float64).round().astype(np.int32)], 0)
    return canvas > 0


def _unpack(data: str) -> np.ndarray:
    """Return a bitmap as bool h×w; the object is what is not transparent."""
    try:
        return read_alpha(zlib.decompress(base64.b64decode(data))) > 0
    except (zlib.error, binascii.Error) as error:
        raise ValueError(f"a bitmap that cannot be unpacked ({error})") from error


def _paste(bitmap: np.ndarray, origin: list[int], size_hw: tuple[int, int]) -> np.ndarray:
    """Lay a bitmap into the frame, cut off where it reaches beyond."""
    left, top = (int(value) for value in origin)
    frame = np.zeros(size_hw, bool)
    inside = bitmap[max(0, -top) : max(0, size_hw[0] - top), max(0, -left) : max(0, size_hw[1] - left)]
    frame[max(0, top) : max(0, top) + inside.shape[0], max(0, left) : max(0, left) + inside.shape[1]] = inside
    return frame
