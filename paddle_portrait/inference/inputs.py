"""Which pictures a user means by a file, a folder, a glob or a list."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paddle_portrait.errors import UserError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm"})


@dataclass(frozen=True)
class InputImage:
    """A picture to be segmented.

    Attributes:
        path: its file, which may turn out to be missing or broken.
        name: relative path without suffix, unique among the inputs, for naming results.
        listed_at: the list and the line that name it, such as ``list.txt:3``; empty where no list does.
    """

    path: Path
    name: str
    listed_at: str = ""

    def told(self, error: Exception) -> str:
        """Return an error's message, with the place to mend where a list names the picture."""
        return f"{self.listed_at}: {error}" if self.listed_at else str(error)


def find_images(source: str | Path, results: Path | None = None) -> list[InputImage]:
    """Return the pictures that ``source`` means, sorted, each once.

    Args:
        source: a picture; a folder, searched to its depth, hidden files left out; a glob (``**`` goes deep);
            or a ``.txt`` file with one picture a line, relative to its folder, of which a second column
            (a label) is ignored.
        results: a folder that is not searched: where an earlier run may have left its pictures.

    Raises:
        UserError: ``source`` does not exist or holds no picture.
    """
    source = Path(source)
    lines: dict[Path, str] = {}
    if source.is_dir():
        paths = [path for path in sorted(source.rglob("*")) if _is_wanted(path, source, results)]
        root = source
    elif source.is_file() and source.suffix.lower() == ".txt":
        lines = _listed(source)
        paths, root = list(lines), source.parent
    elif source.is_file():
        paths, root = [source], source.parent
    elif glob.has_magic(str(source)):
        matches = sorted(Path(match) for match in glob.glob(str(source), recursive=True))
        root = _fixed_part(source)
        paths = [path for path in matches if _is_wanted(path, root, results)]
    else:
        raise UserError(f"'{source}' does not exist. Give a picture, a folder, a glob or a .txt list.")
    if not paths:
        raise UserError(f"'{source}' holds no picture. Suffixes that count: {', '.join(sorted(SUFFIXES))}.")
    return _named({path: lines.get(path, "") for path in paths}, root)


def _is_wanted(path: Path, root: Path, results: Path | None) -> bool:
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    if any(part.startswith(".") for part in path.relative_to(root).parts):
        return False
    return results is None or results.resolve() not in path.resolve().parents


def _listed(file: Path) -> dict[Path, str]:
    """Return the pictures of a list with the first line of each."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"list '{file}' cannot be read as UTF-8 text: {error}.") from None
    found: dict[Path, str] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            found.setdefault(_first_column(file.parent, line.strip()), f"{file}:{number}")
    return found


def _first_column(folder: Path, line: str) -> Path:
    """Return the picture of a list's line: all of it, or what stands before its last gap, as files exist."""
    whole = folder / line
    if whole.is_file() or " " not in line:
        return whole
    picture = folder / line.rsplit(maxsplit=1)[0]
    return picture if picture.is_file() else whole


def _fixed_part(pattern: Path) -> Path:
    parts = pattern.parts[:-1]
    count = next((index for index, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return Path(*parts[:count])


def _named(paths: Mapping[Path, str], root: Path) -> list[InputImage]:
    """Name each picture by its place under ``root``; ``a.jpg`` beside ``a.png`` become ``a_jpg`` and ``a_png``."""
    relative = {path: _under(path, root) for path in paths}
    stems = [place.with_suffix("") for place in relative.values()]
    taken: dict[str, int] = {}
    images = []
    for path, place in relative.items():
        stem = place.with_suffix("")
        name = stem if stems.count(stem) == 1 else stem.with_name(place.name.replace(".", "_"))
        text = name.as_posix()
        taken[text] = taken.get(text, 0) + 1
        images.append(InputImage(path, text if taken[text] == 1 else f"{text}_{taken[text]}", paths[path]))
    return images


def _under(path: Path, root: Path) -> Path:
    """Return ``path`` below ``root``; of a picture that lies elsewhere (lists may name such) its file name."""
    try:
        place = path.relative_to(root)
    except ValueError:
        return Path(path.name)
    return Path(path.name) if ".." in place.parts else place
