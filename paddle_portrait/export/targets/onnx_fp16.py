"""ONNX with weights in half precision, widened when the file is loaded; input, output and arithmetic stay float32."""

from __future__ import annotations

from pathlib import Path

from paddle_portrait.export.compact import store_compactly
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.targets import HALF_LIMIT
from paddle_portrait.export.targets.onnx import count_operators
from paddle_portrait.inference.deploy_file import TargetFiles

__all__ = ["LIMIT", "count_operators", "write"]

LIMIT = HALF_LIMIT


def write(job: ExportJob, folder: Path) -> TargetFiles:
    """Store the weights of the job's ONNX graph in float16."""
    source, files = job.build("onnx")
    store_compactly(source / files.model, folder / "model.onnx", rounded=True)
    return TargetFiles("model.onnx")
