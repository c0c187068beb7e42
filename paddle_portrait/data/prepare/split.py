"""Which picture is trained on and which is judged on: by a seed and the names, never by the order of a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

SPLITS = ("train", "val", "test")


def assign(official: Mapping[str, str | None], reserved: set[str], seed: int, val_share: float) -> dict[str, str]:
    """Return the split of each picture.

    Where the source has a validation list, its lists are kept, and pictures in none are trained on. Else
    ``val_share`` of the pictures that are not for testing become the validation list: those whose names have the
    smallest digests, so that other pictures' coming and going moves few.

    Args:
        official: name to the split that the source gives it, or None.
        reserved: names of pictures that other benchmarks judge by; they are for testing only.
        seed: another seed draws other pictures.
        val_share: 0 draws none.
    """
    splits = {name: "test" if name in reserved else split or "train" for name, split in official.items()}
    pool = [name for name, split in splits.items() if split == "train"]
    if "val" in official.values() or val_share == 0 or len(pool) < 2:
        return splits
    count = min(len(pool) - 1, max(1, round(val_share * len(pool))))
    for name in sorted(pool, key=lambda name: _draw(seed, name))[:count]:
        splits[name] = "val"
    return splits


def list_text(lines: Mapping[str, tuple[str, str]], splits: Mapping[str, str], split: str) -> str:
    """Return the text of a list file: image and mask (if any) of each picture of the split, sorted."""
    chosen = sorted(lines[name] for name in lines if splits[name] == split)
    return "".join(f"{image} {mask}".rstrip() + "\n" for image, mask in chosen)


def list_path(folder: Path, split: str) -> Path:
    """Return where the list of a split lies."""
    return folder / f"{split}.txt"


def _draw(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()
