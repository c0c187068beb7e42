"""Paddle's former format: ``model.pdmodel`` with ``model.pdiparams``, for Lite, Paddle.js, OpenVINO, old servers."""

from __future__ import annotations

from pathlib import Path

from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.legacy_program import clean_program, count_program_operators
from paddle_portrait.export.tracing import save_traced
from paddle_portrait.inference.deploy_file import TargetFiles


def write(job: ExportJob, folder: Path) -> TargetFiles:
    """Trace the network in the legacy format, save it and mend the file."""
    from paddle_portrait.export.legacy_trace import legacy_format

    save_traced(job, folder, legacy_format())
    clean_program(folder / "model.pdmodel")
    return TargetFiles("model.pdmodel", "model.pdiparams")


def count_operators(folder: Path, files: TargetFiles) -> dict[str, int]:
    """Return how many operators of each type the graph holds."""
    return count_program_operators(folder / files.model)
