"""ONNX in int8. It takes photos to calibrate with, so ``tools/quantize.py`` adds it to an exported directory."""

from __future__ import annotations

from pathlib import Path

from paddle_portrait.export.errors import ExportError
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.targets import INT8_LIMIT
from paddle_portrait.export.targets.onnx import count_operators
from paddle_portrait.inference.deploy_file import TargetFiles

__all__ = ["LIMIT", "count_operators", "refusal", "write"]

LIMIT = INT8_LIMIT
NEEDS_PHOTOS = True


def refusal(job: ExportJob) -> str:
    """Return why an export alone cannot write it."""
    return (
        "quantising needs photos. Export onnx first, then add it: "
        "python tools/quantize.py --model_dir DIR --config CONFIG --scheme nncf"
    )


def write(job: ExportJob, folder: Path) -> TargetFiles:
    """Refuse, see :func:`refusal`."""
    raise ExportError(f"format onnx_int8: {refusal(job)}")
