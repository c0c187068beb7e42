"""What earlier runs made of each picture, so that a run goes on where another stopped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from paddle_portrait.console import logger
from paddle_portrait.data.prepare.item import Item
from paddle_portrait.data.prepare.writing import write_bytes

JOURNAL = ".prepared.jsonl"


@dataclass(frozen=True)
class Entry:
    """The fate of one picture.

    Attributes:
        name: its name in the prepared set.
        signature: digest of the settings, and of the names, sizes and times of the files it is made from.
        digest: SHA-256 of the image file, or "" when it could not be read.
        image: path of the image file below the set, or "" when it was skipped.
        mask: path of the mask file, or "".
        reason: why it was skipped, or "".
        detail: what is wrong with this one.
    """

    name: str
    signature: str
    digest: str = ""
    image: str = ""
    mask: str = ""
    reason: str = ""
    detail: str = ""

    def stands_in(self, folder: Path) -> bool:
        """Return whether the files that were written are (still) there."""
        return all((folder / file).is_file() for file in (self.image, self.mask) if file)


class Journal:
    """The entries of a prepared set: one JSON line each, added when the picture's files are complete."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self.entries: dict[str, Entry] = {}
        self._lines = 0
        if self.path.is_file():
            self._read()

    def add(self, entry: Entry) -> None:
        """Note an entry at once, on disk too."""
        self.entries[entry.name] = entry
        self._lines += 1
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(entry))

    def keep_only(self, names: set[str]) -> list[Entry]:
        """Forget the other entries and return them; the file becomes one line a picture."""
        gone = [entry for name, entry in self.entries.items() if name not in names]
        self.entries = {name: entry for name, entry in self.entries.items() if name in names}
        if gone or self._lines != len(self.entries):
            write_bytes(self.path, "".join(map(_line, self.entries.values())).encode("utf-8"))
            self._lines = len(self.entries)
        return gone

    def _read(self) -> None:
        content = self.path.read_text(encoding="utf-8", errors="replace")
        for line in content.splitlines():
            self._lines += 1
            try:
                entry = Entry(**json.loads(line))
            except (ValueError, TypeError):  # the line that a killed run did not finish
                logger.info("%s: an unfinished line is left out", self.path)
                continue
            self.entries[entry.name] = entry
        if content and not content.endswith("\n"):
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n")


def sign(item: Item, settings: dict[str, Any]) -> str:
    """Return what changes when an input file or a setting changes."""
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in item.inputs]
    text = json.dumps([settings, facts], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:20]


def _line(entry: Entry) -> str:
    return json.dumps({key: value for key, value in asdict(entry).items() if value}, ensure_ascii=False) + "\n"
