"""COCO: the photos with persons of ``instances_train2017.json`` and its like.

``annotations/instances_train2017.json`` with ``train2017/*.jpg`` beside it or under ``images/``. Persons are
polygons; crowds are run lengths, drawn coarsely, so they are ignored unless asked for.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from paddle_portrait.data.prepare.finding import describe_folder, flat_name, locate
from paddle_portrait.data.prepare.item import Item, Made, SkipItem, Source, copied
from paddle_portrait.data.prepare.label_values import IGNORED, PERSON, decode_runs, fill_polygon
from paddle_portrait.errors import UserError

_PREFIX = "instances_"


def scan(root: Path, arguments: argparse.Namespace) -> Source:
    """Collect the photos of all instance files whose folders are there.

    Photos without a person are taken with ``with_empty`` only.

    Raises:
        UserError: the folder is another one, or an annotation file cannot be read.
    """
    base = locate(root, "COCO", ("annotations",))
    files = sorted((base / "annotations").glob(f"{_PREFIX}*.json"))
    if not files:
        found = describe_folder(base / "annotations")
        raise UserError(f"{base / 'annotations'}: no COCO instances. Expected: {_PREFIX}train2017.json. {found}")
    source = Source("coco", "binary01", settings={"crowd": arguments.crowd})
    folders = {file: _photo_folder(base, file) for file in files}
    if not any(folders.values()):
        expected = " or ".join(file.stem.removeprefix(_PREFIX) for file in files)
        raise UserError(f"{base}: annotations without photos. Expected: a folder {expected}. {describe_folder(base)}")
    for file, folder in folders.items():
        if folder is None:
            source.skip("annotations without a folder of photos", file.name)
        else:
            _scan_file(file, folder, arguments, source)
    return source


def _photo_folder(base: Path, file: Path) -> Path | None:
    name = file.stem.removeprefix(_PREFIX)
    return next((path for path in (base / name, base / "images" / name) if path.is_dir()), None)


def _scan_file(file: Path, folder: Path, arguments: argparse.Namespace, source: Source) -> None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        person = next(category["id"] for category in content["categories"] if category["name"] == "person")
        images = content["images"]
        objects: dict[int, list[dict[str, Any]]] = {}
        for found in content["annotations"]:
            if found["category_id"] == person:
                objects.setdefault(found["image_id"], []).append(found)
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        fault = f"{type(error).__name__} {error}"
        raise UserError(f"{file}: no COCO instances with a category person ({fault}).") from error
    split = next((name for name in ("train", "val") if folder.name.startswith(name)), None)
    for entry in images:
        photo, persons = folder / entry["file_name"], objects.get(entry["id"], [])
        if not persons and not arguments.with_empty:
            source.skip("photo without persons", entry["file_name"])
        elif not photo.is_file():
            source.skip("photo not there", f"{folder.name}/{entry['file_name']}")
        else:
            make = partial(_make, photo, entry, persons, arguments.crowd)
            name = f"{folder.name}_{flat_name(Path(entry['file_name']))}"
            source.items.append(Item(name, (photo, file), make, split))


def _make(photo: Path, entry: dict[str, Any], persons: list[dict[str, Any]], crowd: str) -> Made:
    size_hw = int(entry["height"]), int(entry["width"])
    label = np.zeros(size_hw, np.uint8)
    crowd_value = PERSON if crowd == "person" else IGNORED
    # Persons last: one that is marked in a crowd is known.
    for found in sorted(persons, key=lambda found: -int(found.get("iscrowd", 0))):
        try:
            label[_region(found["segmentation"], size_hw)] = crowd_value if found.get("iscrowd") else PERSON
        except (ValueError, KeyError, TypeError, UserError) as error:
            raise SkipItem("mask cannot be read", f"annotation {found.get('id')}: {error}") from error
    return copied(photo, lambda _: label)


def _region(segmentation: Any, size_hw: tuple[int, int]) -> np.ndarray:
    if isinstance(segmentation, dict):
        written_hw = tuple(int(side) for side in segmentation["size"])
        if written_hw != size_hw:
            raise UserError(f"run lengths for {written_hw} in a picture of {size_hw} (height, width)")
        return decode_runs(segmentation["counts"], size_hw)
    region = np.zeros(size_hw, bool)
    for corners in segmentation:
        region |= fill_polygon(np.asarray(corners, np.float64).reshape(-1, 2), size_hw)
    return region
