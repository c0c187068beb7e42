"""ONNX with the convolutions' weights in int8, dequantised when the file is loaded; arithmetic stays float32."""

from __future__ import annotations

from pathlib import Path

from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.targets import INT8_LIMIT
from paddle_portrait.export.targets.onnx import count_operators, plain_graph
from paddle_portrait.inference.deploy_file import TargetFiles

__all__ = ["LIMIT", "count_operators", "write"]

LIMIT = INT8_LIMIT


def write(job: ExportJob, folder: Path) -> TargetFiles:
    """Store the weights of the job's ONNX graph in int8."""
    import onnx

    from paddle_portrait.export.quantisation.graph import simplified
    from paddle_portrait.export.quantisation.weight_only import quantise_weights

    onnx.save(quantise_weights(simplified(plain_graph(job))), str(folder / "model.onnx"))
    return TargetFiles("model.onnx")
