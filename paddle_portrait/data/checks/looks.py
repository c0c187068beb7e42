"""Photos that look the same although their files differ: scaled, compressed again, exported twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import cv2
import numpy as np

from paddle_portrait.data.checks.files import existing
from paddle_portrait.data.checks.report import CheckReport, named, share

# Different photos of one shoot differ in 4 bits and more, a photo and its copy in 0 to 3.
_NEAR = 3
_PLAIN = 8


def look_of(image_rgb: np.ndarray) -> int:
    """Return the 64-bit difference hash of a photo, uint8 (H, W, 3): where an 8 x 9 miniature gets lighter.

    Returns 0 for pictures so plain that their hash says nothing.
    """
    grey = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
    rises = small[:, 1:] > small[:, :-1]
    if not _PLAIN <= np.count_nonzero(rises) <= rises.size - _PLAIN:
        return 0
    return int.from_bytes(np.packbits(rises).tobytes(), "big")


def find_lookalikes(looks: Mapping[str, int], report: CheckReport) -> None:
    """Report photos of one data set that look the same; those of equal content are reported elsewhere."""
    copies = {path for finding in report.findings if finding.code == "duplicate_images" for path in finding.files}
    pairs = [pair for pair in near_pairs(looks) if copies.isdisjoint(pair)]
    if pairs:
        report.add(
            "near_duplicates",
            "warning",
            f"{len(pairs)} pairs of images look the same: {named([' ~ '.join(pair) for pair in pairs])}. "
            "If one is a copy of the other, remove it.",
            [path for pair in pairs for path in pair],
        )


def find_shared_looks(looks: Mapping[str, int], train: Iterable[str], val: Iterable[str], report: CheckReport) -> None:
    """Report validation photos that look like training photos, those of equal content left out."""
    known = {path for finding in report.findings for path in finding.files}
    trained, judged = set(existing(train)), set(existing(val)) - known
    both = {path: looks[path] for path in sorted(trained | judged) if path in looks}
    ordered = [pair[::-1] if pair[0] in trained else pair for pair in near_pairs(both)]
    pairs = [(mine, other) for mine, other in ordered if mine in judged and other in trained]
    if pairs:
        report.add(
            "near_overlap",
            "warning",
            f"{share(len({pair[0] for pair in pairs}), len(judged), 'evaluation images')} look like a training image: "
            f"{named([' ~ '.join(pair) for pair in pairs])}. If they are copies, take them out of one list.",
            [path for pair in pairs for path in pair],
        )


def near_pairs(looks: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield pairs of paths whose hashes differ in 3 bits or fewer.

    Of four words of 16 bits, one must then be equal, so only paths that share a word are compared.
    """
    by_word: dict[tuple[int, int], list[str]] = defaultdict(list)
    for path, look in looks.items():
        if look:
            near = {other for word in _words(look) for other in by_word[word]}
            yield from ((other, path) for other in sorted(near) if (looks[other] ^ look).bit_count() <= _NEAR)
            for word in _words(look):
                by_word[word].append(path)


def _words(look: int) -> list[tuple[int, int]]:
    return [(shift, look >> shift & 0xFFFF) for shift in (0, 16, 32, 48)]
