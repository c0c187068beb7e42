"""OpenVINO's IR with weights in half precision: half the size; the runtime widens them."""

from __future__ import annotations

from pathlib import Path

from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.targets import HALF_LIMIT
from paddle_portrait.export.targets.openvino import convert, count_operators
from paddle_portrait.inference.deploy_file import TargetFiles

__all__ = ["LIMIT", "count_operators", "write"]

LIMIT = HALF_LIMIT


def write(job: ExportJob, folder: Path) -> TargetFiles:
    """Convert the job's ONNX graph in half precision."""
    return convert("openvino_fp16", "onnx_fp16", job, folder)
