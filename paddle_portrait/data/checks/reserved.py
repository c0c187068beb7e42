"""Photos kept for judging: no training set may hold one of them.

``reserved.json`` knows them by the size of the file and the first 16 hexadecimal digits of its SHA-256;
nothing of a photo can be told from that. It is made, with the data in place, by::

    python -m paddle_portrait.data.checks.write_reserved data/eg1800/test.txt data/picsart/val.txt
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

RESERVED_FILE = Path(__file__).with_name("reserved.json")

_DIGITS = 16


@dataclass(frozen=True)
class ReservedList:
    """The images of one evaluation list.

    Attributes:
        name: the list as ``folder/file``, such as ``eg1800/test.txt``.
        digests: size of a file in bytes to the digests of the images of that size.
    """

    name: str
    digests: dict[int, frozenset[str]]

    def __contains__(self, image: object) -> bool:
        """Tell whether the file at this path is one of the images; only a file of a known size is read."""
        path = Path(str(image))
        candidates = self.digests.get(path.stat().st_size)
        return candidates is not None and file_digest(path) in candidates


def file_digest(path: str | Path) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a file's bytes."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:_DIGITS]


@lru_cache(maxsize=1)
def reserved_lists() -> tuple[ReservedList, ...]:
    """Return the evaluation lists that this package knows."""
    content = json.loads(RESERVED_FILE.read_text(encoding="utf-8"))
    return tuple(_parse_list(entry["name"], entry["images"]) for entry in content["lists"])


def _parse_list(name: str, images: Iterable[str]) -> ReservedList:
    digests: dict[int, set[str]] = defaultdict(set)
    for image in images:
        size, digest = image.split(":")
        digests[int(size)].add(digest)
    return ReservedList(name, {size: frozenset(known) for size, known in digests.items()})


def fingerprint(path: str | Path) -> str:
    """Return how ``reserved.json`` writes a file: ``size:digest``."""
    return f"{Path(path).stat().st_size}:{file_digest(path)}"


def reserved_by_name(list_path: str | Path) -> str | None:
    """Return the name of the evaluation list that ``list_path`` leads to, links followed, or None."""
    spelled = Path(list_path)
    endings = {"/".join(path.parts[-2:]) for path in (spelled, spelled.resolve())}
    return next((known.name for known in reserved_lists() if known.name in endings), None)


def reserved_images(images: Iterable[str | Path]) -> dict[str, list[str]]:
    """Find evaluation images, under whatever name, among files that exist.

    Returns:
        name of an evaluation list to the given paths that hold an image of it; lists without any are left out.
    """
    found: dict[str, list[str]] = {}
    for image in images:
        for known in reserved_lists():
            if image in known:
                found.setdefault(known.name, []).append(str(image))
    return found
