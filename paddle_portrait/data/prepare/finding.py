"""Finding the folders and files of a source, and saying clearly when the folder is another one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from paddle_portrait.data.prepare.item import Source
from paddle_portrait.errors import UserError

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
_SHOWN_ENTRIES = 8
_JUNK = "hidden or system file"
_SYSTEM_FILES = {"thumbs.db", "desktop.ini", "__macosx"}


def locate(root: Path, kind: str, wanted: Sequence[str]) -> Path:
    """Return the folder at or up to two levels below ``root`` that holds everything in ``wanted``.

    Archives unpack into one or two folders more than expected; people name any of them.

    Raises:
        UserError: there is none; says what was expected and what is there.
    """
    if not root.is_dir():
        raise UserError(f"{root}: this folder does not exist (looked from {Path.cwd()}).")
    found = [place for place in _nearby(root) if all((place / name).exists() for name in wanted)]
    if not found:
        raise UserError(f"{root}: no {kind} set. Expected there: {', '.join(wanted)}. {describe_folder(root)}")
    return found[0]


def describe_folder(folder: Path) -> str:
    """Say what is in a folder, shortened."""
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    shown = ", ".join(names[:_SHOWN_ENTRIES]) + (f", … ({len(names)} in all)" if len(names) > _SHOWN_ENTRIES else "")
    return f"There is: {shown}." if names else "The folder is empty."


def list_files(folder: Path, suffixes: Iterable[str], source: Source | None = None) -> list[Path]:
    """Return the files below ``folder`` with one of the suffixes, sorted by path.

    Files that file managers leave behind (``._x.jpg``, ``Thumbs.db``, ``__MACOSX``) are left out and counted in
    ``source``.
    """
    wanted = {suffix.lower() for suffix in suffixes}
    files = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if any(_is_junk(part) for part in inside.parts):
            if path.is_file() and source is not None:
                source.skip(_JUNK, f"{folder.name}/{inside.as_posix()}")
        elif path.suffix.lower() in wanted and path.is_file():
            files.append(path)
    return files


def flat_name(relative: Path) -> str:
    """Return one file name for a relative path: its parts joined, without extension and white space."""
    return re.sub(r"\s+", "_", "_".join(relative.with_suffix("").parts))


def _is_junk(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def _nearby(root: Path) -> list[Path]:
    children = sorted(path for path in root.iterdir() if path.is_dir() and not _is_junk(path.name))
    grandchildren = [path for child in children for path in sorted(child.iterdir()) if path.is_dir()]
    return [root, *children, *grandchildren]
