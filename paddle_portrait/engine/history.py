"""The run's record: one JSON line per log interval and per evaluation, the same after a resume."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from paddle_portrait.console import logger


class History:
    """Rows of a run, kept in memory and appended to ``history.jsonl``.

    A row is a mapping with ``kind`` (``train`` or ``eval``), ``iteration`` and figures. Times stand under
    the key ``speed``: they are what may differ between a resumed and an uninterrupted run.

    Args:
        path: the file; None keeps the rows in memory only.
    """

    def __init__(self, path: str | Path | None) -> None:
        self.path = None if path is None else Path(path)
        self.rows: list[dict[str, Any]] = []

    def start(self, iteration: int) -> None:
        """Take over the rows of an earlier run up to ``iteration`` and drop what came later."""
        self.rows = [row for row in read_history(self.path) if row["iteration"] <= iteration] if iteration else []
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            staging = self.path.with_name(self.path.name + ".tmp")
            staging.write_text("".join(json.dumps(row) + "\n" for row in self.rows), encoding="utf-8")
            os.replace(staging, self.path)

    def add(self, kind: str, iteration: int, **figures: Any) -> dict[str, Any]:
        """Append a row and return it."""
        row = {"kind": kind, "iteration": iteration, **figures}
        self.rows.append(row)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        return row

    def series(self, kind: str, figure: str) -> list[tuple[int, float]]:
        """Return (iteration, value) of one figure of the rows of one kind, for a curve."""
        return [(row["iteration"], row[figure]) for row in self.rows if row["kind"] == kind and figure in row]


def read_history(path: str | Path | None) -> list[dict[str, Any]]:
    """Read the rows of a ``history.jsonl``; a last line that a kill cut short is dropped."""
    if path is None or not Path(path).is_file():
        return []
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        try:
            rows.append(json.loads(line))
        except ValueError:
            logger.warning("%s:%d is cut short and was dropped", path, number)
    return rows
