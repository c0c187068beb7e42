"""AISegment matting human datasets: 34 427 portraits of 600×800 with mattes in the alpha channel.

github.com/aisegmentcn/matting_human_datasets: ``clip_img/1803151818/clip_00000000/1803151818-00000003.jpg`` goes
with ``matting/1803151818/matting_00000000/1803151818-00000003.png``. The archive holds a stray ``._matting_00000000``
and ``._*.jpg``, and a photo and a matte without a counterpart.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from paddle_portrait.data.prepare.finding import flat_name, list_files, locate
from paddle_portrait.data.prepare.item import Item, Made, Source, copied
from paddle_portrait.data.prepare.label_values import read_alpha


def scan(root: Path, _: argparse.Namespace) -> Source:
    """Pair the photos of ``clip_img`` with the mattes of ``matting``.

    Raises:
        UserError: the folder is another one.
    """
    base = locate(root, "AISegment", ("clip_img", "matting"))
    source = Source("aisegment", "soft")
    mattes = {_key(path, base / "matting"): path for path in list_files(base / "matting", [".png"], source)}
    for photo in list_files(base / "clip_img", [".jpg", ".jpeg", ".png"], source):
        matte = mattes.pop(_key(photo, base / "clip_img"), None)
        if matte is None:
            source.skip("photo without a matte", photo.relative_to(base).as_posix())
            continue
        name = flat_name(photo.relative_to(base / "clip_img"))
        source.items.append(Item(name, (photo, matte), partial(_make, photo, matte)))
    for matte in mattes.values():
        source.skip("matte without a photo", matte.relative_to(base).as_posix())
    return source


def _key(path: Path, base: Path) -> tuple[str, ...]:
    """Return what a photo and its matte have in common: clip_00000000 is matting_00000000 on the other side."""
    folders = path.relative_to(base).with_suffix("").parts
    return tuple(folder.removeprefix("clip_").removeprefix("matting_") for folder in folders)


def _make(photo: Path, matte: Path) -> Made:
    return copied(photo, lambda _: read_alpha(matte))
