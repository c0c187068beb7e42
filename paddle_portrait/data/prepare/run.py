"""Writes the pictures of a source as a data set: ``images/``, ``masks/``, lists and ``prepared.json``."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from paddle_portrait.console import logger, track
from paddle_portrait.data.checks.reserved import reserved_images
from paddle_portrait.data.prepare.item import PERSON_FROM, Item, Made, SkipItem, Source
from paddle_portrait.data.prepare.journal import JOURNAL, Entry, Journal, sign
from paddle_portrait.data.prepare.split import SPLITS, assign, list_path, list_text
from paddle_portrait.data.prepare.writing import encode_png, link_or_write, remove_parts, write_bytes, write_if_other
from paddle_portrait.errors import UserError

REPORT = "prepared.json"
_ORDER = {"test": 0, "val": 1, "train": 2, None: 3}  # of two equal photos, the one that is judged on stays
_DUPLICATE = "duplicate photo"
_VERSION = 1  # of what is written; another number makes every picture again


@dataclass(frozen=True)
class Options:
    """Choices that hold for every source.

    Attributes:
        seed: which pictures are drawn for validation.
        val_share: how many of them, where the source has no validation list, in [0, 1).
        min_share: smallest share of the person in the picture, in [0, 1].
        with_empty: keep pictures without a person, as backgrounds to learn from.
        link: link to the photos instead of copying them.
    """

    seed: int = 0
    val_share: float = 0.1
    min_share: float = 0.0
    with_empty: bool = False
    link: bool = False

    def check(self) -> None:
        """Raise UserError for numbers out of range."""
        if self.seed < 0:
            raise UserError(f"--seed is {self.seed}; it must be 0 or more.")
        if not 0 <= self.val_share < 1:
            raise UserError(f"--val_share is {self.val_share}; it must be from 0 to below 1, such as 0.1.")
        if not 0 <= self.min_share <= 1:
            raise UserError(f"--min_share is {self.min_share}; it must be from 0 to 1, such as 0.05.")


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        counts: pictures in each list.
        skipped: reason to the names of what was left out.
        written: pictures made in this run.
        kept: pictures that were there already.
        changed: whether any file was written or removed.
    """

    counts: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, list[str]] = field(default_factory=dict)
    written: int = 0
    kept: int = 0
    changed: bool = False

    @property
    def usable(self) -> int:
        """Pictures in all lists."""
        return sum(self.counts.values())

    def summary(self) -> str:
        """Return a few lines for the terminal."""
        lists = ", ".join(f"{split} {count}" for split, count in self.counts.items()) or "none"
        lines = [f"usable pictures: {self.usable} ({lists}); {self.written} written now, {self.kept} from before"]
        for reason, names in sorted(self.skipped.items()):
            shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
            lines.append(f"skipped {len(names)}, {reason}: {shown}")
        if not self.changed:
            lines.append("everything was prepared already: nothing changed")
        return "\n".join(lines)


def prepare(source: Source, out: str | Path, options: Options | None = None) -> Outcome:
    """Write a source as a data set.

    A second run changes nothing; an interrupted one goes on; changed inputs are made again. Pictures whose image
    files are equal, byte by byte, are taken once. Photos that this project's evaluation lists hold go into
    ``test.txt``.

    Args:
        source: what a module of this package found.
        out: folder of the set; made when it does not exist.
        options: choices for every source.

    Raises:
        UserError: an option is out of range, or ``out`` holds other files.
    """
    options, out = options or Options(), Path(out)
    options.check()
    _claim(out)
    run = _Run(source, out, options)
    run.make_all()
    return run.finish()


def _claim(out: Path) -> None:
    """Take a folder over: a new one, an empty one, or one of an earlier run."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: this is a file; --out names the folder of the prepared set.")
    if out.is_dir() and any(out.iterdir()) and not (out / JOURNAL).is_file():
        raise UserError(f"{out}: the folder holds files that were not prepared here; choose another --out or empty it.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not (out / JOURNAL).is_file():
            (out / JOURNAL).touch()
    except OSError as error:
        raise UserError(f"{out}: nothing can be written there ({error.strerror}).") from error
    remove_parts(out)


class _Run:
    """One walk through a source."""

    def __init__(self, source: Source, out: Path, options: Options) -> None:
        self.source, self.out, self.options = source, out, options
        self.journal = Journal(out)
        self.outcome = Outcome(skipped={reason: sorted(names) for reason, names in source.skipped.items()})
        self.items = _named_apart(source.items)
        self.seen: dict[str, str] = {}  # digest of an image file to the first picture with it
        self.settings = {"version": _VERSION, "kind": source.kind, "format": source.mask_format, **source.settings}
        self.settings.update(min_share=options.min_share, with_empty=options.with_empty, link=options.link)

    def make_all(self) -> None:
        """Make what is missing, in an order that does not depend on the disk."""
        for name, item in track(self.items.items(), f"prepare {self.source.kind}"):
            signature = sign(item, self.settings)
            known = self.journal.entries.get(name)
            if known is None or not self._still_true(known, signature):
                self._remove([known] if known else [])
                known = self._make(name, item, signature)
                self.journal.add(known)
                self.outcome.written += bool(known.image)
                self.outcome.changed = True
            elif known.image:
                self.outcome.kept += 1
            if known.image:
                self.seen[known.digest] = name
            else:
                self.outcome.skipped.setdefault(known.reason, []).append(name)

    def finish(self) -> Outcome:
        """Write the lists and the report, and remove what belongs to pictures that are no more."""
        self._remove(self.journal.keep_only(set(self.items)))
        entries = [self.journal.entries[name] for name in self.items if self.journal.entries[name].image]
        lines = {entry.name: (entry.image, entry.mask) for entry in entries}
        official = {entry.name: self.items[entry.name].split for entry in entries}
        val_share = 0 if self.source.keeps_lists else self.options.val_share
        splits = assign(official, self._reserved(entries), self.options.seed, val_share)
        for split in SPLITS:
            self._write_list(split, list_text(lines, splits, split))
        counts = Counter(splits.values())
        self.outcome.counts = {split: counts[split] for split in SPLITS if counts[split]}
        report = json.dumps(self._report(), indent=1, ensure_ascii=False) + "\n"
        self.outcome.changed |= write_if_other(self.out / REPORT, report)
        return self.outcome

    def _still_true(self, known: Entry, signature: str) -> bool:
        if known.signature != signature or not known.stands_in(self.out):
            return False
        # Whether it repeats another photo depends on the others, which may have come or gone.
        repeated = self.seen.get(known.digest)
        if known.reason == _DUPLICATE:
            return repeated is not None and known.detail == f"of {repeated}"
        return repeated is None

    def _make(self, name: str, item: Item, signature: str) -> Entry:
        try:
            made = item.make()
            digest = hashlib.sha256(made.image).hexdigest()
            if digest in self.seen:
                return Entry(name, signature, digest, reason=_DUPLICATE, detail=f"of {self.seen[digest]}")
            self._check_person(made)
        except SkipItem as skipped:
            return Entry(name, signature, reason=skipped.reason, detail=skipped.detail)
        except UserError as error:
            return Entry(name, signature, reason="cannot be read", detail=str(error))
        image, mask = f"images/{name}{made.suffix}", "" if made.mask is None else f"masks/{name}.png"
        link_or_write(self.out / image, made.origin if self.options.link else None, made.image)
        if made.mask is not None:
            write_bytes(self.out / mask, encode_png(made.mask))
        return Entry(name, signature, digest, image, mask)

    def _check_person(self, made: Made) -> None:
        if made.mask is None:
            return
        person = made.mask >= PERSON_FROM[self.source.mask_format]
        if self.source.mask_format == "binary01":
            person = made.mask == 1
        share = float(person.mean())
        if share == 0 and not self.options.with_empty:
            raise SkipItem("no person in the mask")
        if 0 < share < self.options.min_share:
            raise SkipItem("person smaller than --min_share", f"{share:.4f} of the picture")

    def _reserved(self, entries: Iterable[Entry]) -> set[str]:
        # The source's photo, not what was written: a crop or a composed picture has another sum.
        names: dict[str, list[str]] = {}
        for entry in entries:
            names.setdefault(str(self.items[entry.name].inputs[0]), []).append(entry.name)
        found = reserved_images(names)
        for evaluation, paths in found.items():
            logger.info("%d photos are of the evaluation list %s: they go into test.txt", len(paths), evaluation)
        return {name for paths in found.values() for path in paths for name in names[path]}

    def _write_list(self, split: str, text: str) -> None:
        path = list_path(self.out, split)
        if text:
            self.outcome.changed |= write_if_other(path, text)
        elif path.is_file():
            path.unlink()
            self.outcome.changed = True

    def _remove(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            for file in filter(None, (entry.image, entry.mask)):
                (self.out / file).unlink(missing_ok=True)
            self.outcome.changed = True

    def _report(self) -> dict[str, Any]:
        details = {name: entry.detail for name, entry in self.journal.entries.items() if entry.detail}
        skipped = {
            reason: {"count": len(names), "files": [{"name": n, "detail": details.get(n, "")} for n in names]}
            for reason, names in sorted(self.outcome.skipped.items())
        }
        return {
            "version": _VERSION,
            "source": self.source.kind,
            "mask_format": self.source.mask_format,
            "options": {**self.source.settings, **asdict(self.options)},
            "usable": self.outcome.usable,
            "lists": self.outcome.counts,
            "skipped": skipped,
        }


def _named_apart(items: Iterable[Item]) -> dict[str, Item]:
    """Give every picture a name of its own, on disks that do not tell cases apart, too."""
    named: dict[str, Item] = {}
    taken: set[str] = set()
    for item in sorted(items, key=lambda item: (_ORDER[item.split], item.name, str(item.inputs[0]))):
        name, number = item.name, 1
        while name.casefold() in taken:
            number += 1
            name = f"{item.name}_{number}"
        taken.add(name.casefold())
        named[name] = item
    return named
