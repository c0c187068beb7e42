"""MNN, from ONNX: one ``.mnn`` file."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path

from paddle_portrait.export.child import run_converter
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.targets import require_packages
from paddle_portrait.export.targets.onnx import plain_graph
from paddle_portrait.inference.deploy_file import TargetFiles

_CHILD = "paddle_portrait.export.mnn_child"
_WIRING = {"Input", "Const"}


def write(job: ExportJob, folder: Path) -> TargetFiles:
    """Convert the job's ONNX graph."""
    require_packages("mnn", ("MNN",), "pip install MNN")
    source = plain_graph(job)
    result = folder / "model.mnn"
    run_converter("mnn", _CHILD, ["ONNX", str(source), str(result)], result)
    return TargetFiles(result.name)


def count_operators(folder: Path, files: TargetFiles) -> dict[str, int]:
    """Return how many operators of each type the graph holds."""
    with tempfile.TemporaryDirectory() as scratch:
        description = Path(scratch) / "model.json"
        run_converter("mnn", _CHILD, ["MNN", str((folder / files.model).resolve()), str(description)], description)
        operators = json.loads(description.read_text(encoding="utf-8", errors="replace"))["oplists"]
    return dict(Counter(operator["type"] for operator in operators if operator["type"] not in _WIRING))
