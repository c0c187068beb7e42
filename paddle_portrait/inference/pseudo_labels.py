"""Labels for photos that have none, from several exported networks; an interrupted run goes on where it was.

Written under the folder of results: ``masks/NAME.png`` (the mean probability, 0 to 255), ``train.txt`` (a list for
``Dataset`` with ``mask_format: soft``), ``report.json``, ``contact_sheet.jpg`` and ``verdicts.jsonl``, the record by
which a run goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paddle_portrait.console import logger, track
from paddle_portrait.errors import UserError
from paddle_portrait.inference.agreement import Limits, Opinion, Teacher, compare, soft_mask
from paddle_portrait.inference.inputs import InputImage
from paddle_portrait.pictures import contact_sheet, overlay
from paddle_portrait.preprocess import read_image, write_image
from paddle_portrait.zoo.download import sha256_of

RECORD_FILE = "verdicts.jsonl"
LIST_FILE = "train.txt"
REPORT_FILE = "report.json"
SHEET_FILE = "contact_sheet.jpg"
MASK_FOLDER = "masks"

_SHOWN = 12  # rows of the contact sheet, of kept photos and of rejected ones each


@dataclass(frozen=True)
class Verdict:
    """What was decided of a photo.

    Attributes:
        name: its name among the results.
        image: its file.
        stamp: size and time of change of that file: another file of that name is judged anew.
        objection: why its label was not kept; None where it was.
        agreement: least IoU of two teachers.
        person_share: share of the photo that the person covers.
        pairs: IoU of each two teachers, named ``one + other``.
    """

    name: str
    image: str
    stamp: list[int]
    objection: str | None
    agreement: float
    person_share: float
    pairs: dict[str, float]

    @property
    def kept(self) -> bool:
        """Whether the photo got a label."""
        return self.objection is None


class PseudoLabeller:
    """Labels photos by the agreement of several networks.

    Args:
        teachers: two or more, by name.
        limits: when a label is kept.
        save_dir: folder of the results.
        facts: what else decides the labels (sums of the teachers' files, mirroring): a folder whose record says
            otherwise is refused, because its labels would be of two kinds.

    Raises:
        UserError: fewer than two teachers, or the folder holds labels of other settings.
    """

    def __init__(
        self, teachers: Mapping[str, Teacher], limits: Limits, save_dir: Path, facts: Mapping[str, Any] | None = None
    ) -> None:
        if len(teachers) < 2:
            raise UserError("labels need two different teachers or more: one alone always agrees with itself.")
        self.teachers, self.limits, self.save_dir = dict(teachers), limits, save_dir
        self.settings = {"teachers": list(teachers), **asdict(limits), **(facts or {})}
        self._verdicts = self._read_record()
        self.failed: dict[str, str] = {}

    def label(self, images: Sequence[InputImage]) -> list[Verdict]:
        """Judge ``images``, but for those that an earlier run has judged, and write list, report and contact sheet.

        A photo that cannot be read is logged and kept in ``failed``; the rest goes on, and the next run tries it again.
        """
        self.failed = {}
        todo = [image for image in images if not self._is_done(image)]
        if len(todo) < len(images):
            logger.info("%d of %d photos were judged by an earlier run", len(images) - len(todo), len(images))
        for image in track(todo, "label", total=len(todo)):
            try:
                self._judge(image)
            except UserError as error:
                self.failed[str(image.path)] = image.told(error)
                logger.error("%s", image.told(error))
        verdicts = [self._verdicts[image.name] for image in images if str(image.path) not in self.failed]
        self._write_list(verdicts)
        self._write_report(verdicts)
        self._write_sheet(verdicts)
        return verdicts

    def _judge(self, image: InputImage) -> None:
        opinion = self._ask(read_image(image.path))[1]
        verdict = Verdict(
            name=image.name,
            image=str(image.path),
            stamp=_stamp(image.path),
            objection=opinion.objection(self.limits),
            agreement=round(opinion.agreement, 6),
            person_share=round(opinion.person_share, 6),
            pairs={f"{one} + {other}": round(iou, 6) for (one, other), iou in opinion.pairs.items()},
        )
        # The mask first: a verdict in the record promises that its mask is whole.
        if verdict.kept:
            write_image(self._mask(image.name), soft_mask(opinion.probability))
        else:
            self._mask(image.name).unlink(missing_ok=True)
        self._verdicts[image.name] = verdict
        with self._record().open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(verdict)) + "\n")

    def _ask(self, picture: np.ndarray) -> tuple[dict[str, np.ndarray], Opinion]:
        answers = {name: teacher(picture) for name, teacher in self.teachers.items()}
        return answers, compare(answers)

    def _is_done(self, image: InputImage) -> bool:
        verdict = self._verdicts.get(image.name)
        if verdict is None or verdict.image != str(image.path) or not image.path.is_file():
            return False
        return verdict.stamp == _stamp(image.path) and verdict.kept == self._mask(image.name).is_file()

    def _mask(self, name: str) -> Path:
        return self.save_dir / MASK_FOLDER / f"{name}.png"

    def _record(self) -> Path:
        return self.save_dir / RECORD_FILE

    def _read_record(self) -> dict[str, Verdict]:
        """Return the verdicts of an earlier run of the same settings; begin a record where there is none."""
        lines = _whole_lines(self._record())
        if not lines:
            _write_text(self._record(), json.dumps(self.settings) + "\n")
            return {}
        try:
            settings, *rows = (json.loads(line) for line in lines)
            verdicts = [Verdict(**row) for row in rows]
        except (ValueError, TypeError) as error:
            raise UserError(f"the record '{self._record()}' is damaged ({error}). Remove it to begin anew.") from None
        # Compared as JSON gives them back: a tuple becomes a list there.
        wanted = json.loads(json.dumps(self.settings))
        for key in sorted({*settings, *wanted}):
            if settings.get(key) != wanted.get(key):
                raise UserError(
                    f"'{self.save_dir}' holds labels of other settings: {key} was {settings.get(key)}, now it is "
                    f"{wanted.get(key)}. Name another --save_dir, or remove that one to begin anew."
                )
        # Rewritten without the line that a killed run left half.
        _write_text(self._record(), "".join(f"{line}\n" for line in lines))
        return {verdict.name: verdict for verdict in verdicts}

    def _write_list(self, verdicts: Sequence[Verdict]) -> None:
        lines = [
            f"{_relative(Path(v.image), self.save_dir)} {self._mask(v.name).relative_to(self.save_dir).as_posix()}\n"
            for v in verdicts
            if v.kept
        ]
        if not lines:
            logger.warning("no photo was kept, so the list is empty; %s says why", self.save_dir / REPORT_FILE)
        _write_text(self.save_dir / LIST_FILE, "".join(lines))

    def _write_report(self, verdicts: Sequence[Verdict]) -> None:
        pairs = {key: [verdict.pairs[key] for verdict in verdicts] for key in (verdicts[0].pairs if verdicts else ())}
        report = {
            "settings": self.settings,
            "photos": len(verdicts) + len(self.failed),
            "kept": sum(verdict.kept for verdict in verdicts),
            "rejected": sum(not verdict.kept for verdict in verdicts),
            "failed": self.failed,
            "mean_iou": {key: round(float(np.mean(values)), 6) for key, values in pairs.items()},
            "rows": [{key: value for key, value in asdict(v).items() if key != "stamp"} for v in verdicts],
        }
        _write_text(self.save_dir / REPORT_FILE, json.dumps(report, indent=1, ensure_ascii=False))

    def _write_sheet(self, verdicts: Sequence[Verdict]) -> None:
        """Draw the kept and the rejected photos, each from the least agreement to the greatest, evenly chosen."""
        chosen = []
        for kept in (True, False):
            group = sorted((v for v in verdicts if v.kept is kept), key=lambda verdict: verdict.agreement)
            count = min(_SHOWN, len(group))
            chosen += [group[i * (len(group) - 1) // max(1, count - 1)] for i in range(count)]
        if not chosen:
            return
        rows = []
        for verdict in track(chosen, "contact sheet", total=len(chosen)):
            picture = read_image(verdict.image)
            answers, opinion = self._ask(picture)
            drawn = [overlay(picture, answer) for answer in answers.values()]
            rows.append([picture, *drawn, soft_mask(opinion.probability)])
        captions = [f"{v.objection or f'kept: IoU {v.agreement:.3f}'}  ({v.name})" for v in chosen]
        sheet = contact_sheet(rows, ["photo", *self.teachers, "mean"], captions=captions)
        write_image(self.save_dir / SHEET_FILE, sheet)


def directory_sum(directory: Path) -> str:
    """Return the sha256 sum over names and contents of all files of an exported directory."""
    total = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(directory).as_posix()} {sha256_of(path)}\n".encode())
    return total.hexdigest()


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _relative(path: Path, folder: Path) -> str:
    """Return ``path`` as seen from ``folder``; absolute where no relative one leads there (another drive)."""
    try:
        # The folder's links are resolved: ".." of a path is that of the place, not of the link.
        return Path(os.path.relpath(os.path.abspath(path), os.path.realpath(folder))).as_posix()
    except ValueError:
        return path.absolute().as_posix()


def _whole_lines(path: Path) -> list[str]:
    """Return the lines of a text file that end in a line break; none where there is no file."""
    if not path.is_file():
        return []
    return [line[:-1] for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]


def _write_text(path: Path, text: str) -> None:
    staging = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging.write_text(text, encoding="utf-8")
        os.replace(staging, path)
    except OSError as error:
        raise UserError(f"'{path}' cannot be written: {error.strerror}.") from error
