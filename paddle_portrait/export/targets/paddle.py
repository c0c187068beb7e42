"""Paddle's present format: ``model.json`` (PIR) with ``model.pdiparams``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.tracing import save_traced
from paddle_portrait.inference.deploy_file import TargetFiles

# Entries of a PIR file that are no computation: parameters, and wiring of inputs and outputs.
_WIRING = {"p", "1.data", "1.fetch", "0.yield"}


def write(job: ExportJob, folder: Path) -> TargetFiles:
    """Trace the network and save it."""
    save_traced(job, folder)
    return TargetFiles("model.json", "model.pdiparams")


def count_operators(folder: Path, files: TargetFiles) -> dict[str, int]:
    """Return how many operators of each type the graph holds."""
    program = json.loads((folder / files.model).read_text(encoding="utf-8"))["program"]
    names = (operator["#"] for block in _blocks(program) for operator in block["ops"])
    return dict(Counter(name.removeprefix("1.") for name in names if name not in _WIRING))


def _blocks(program: dict[str, Any]) -> list[dict[str, Any]]:
    return [block for region in program["regions"] for block in region["blocks"]]
