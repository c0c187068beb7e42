"""Curves and sample pictures for VisualDL."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from paddle import nn

from paddle_portrait.engine.history import History
from paddle_portrait.engine.hooks.base import Hook

if TYPE_CHECKING:
    from paddle_portrait.engine.trainer import Step, Trainer

SamplePictures = Callable[[nn.Layer], list[np.ndarray]]


class VisualDLHook(Hook):
    """Writes every row of the run's record as points, and overlays of a few samples after each evaluation.

    Its log is written anew from the record when a run starts or resumes, so curves have no doubled points.

    Args:
        log_dir: VisualDL's folder; what an earlier run left there is replaced.
        history: the run's record.
        pictures: returns overlays, uint8 H×W×3 RGB, of a few samples; None writes no pictures.
    """

    def __init__(self, log_dir: str | Path, history: History, pictures: SamplePictures | None = None) -> None:
        self.log_dir = Path(log_dir)
        self.history = history
        self.pictures = pictures
        self._writer: Any = None
        self._written = 0

    def before_run(self, trainer: Trainer) -> None:
        """Open the log and replay the record."""
        from visualdl import LogWriter

        shutil.rmtree(self.log_dir, ignore_errors=True)
        self._writer = LogWriter(str(self.log_dir))
        self._write_new_rows()

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Write what the record has gained."""
        evaluated = any(row["kind"] == "eval" for row in self.history.rows[self._written :])
        self._write_new_rows()
        if evaluated and self.pictures is not None:
            for index, picture in enumerate(self.pictures(trainer.model)):
                self._writer.add_image(f"samples/{index}", picture, step.iteration)

    def after_run(self, trainer: Trainer) -> None:
        """Close the log."""
        self._writer.close()

    def _write_new_rows(self) -> None:
        for row in self.history.rows[self._written :]:
            figures = {**{key: row[key] for key in row if key not in ("kind", "iteration")}, **row.get("speed", {})}
            for name, value in figures.items():
                if isinstance(value, int | float):
                    self._writer.add_scalar(f"{row['kind']}/{name}", value, row["iteration"])
        self._written = len(self.history.rows)
