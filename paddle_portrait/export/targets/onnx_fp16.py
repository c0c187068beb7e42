"""ONNX with weights in half precision, widened when the file is loaded; input, output and arithmetic stay float32."""

from __future__ import annotations

from pathlib import Path

from paddle_portrait.export.compact import store_compactly
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.rounding import Rounding, weights_in_both, weights_to_keep
from paddle_portrait.export.targets import HALF_LIMIT, require_packages
from paddle_portrait.export.targets.onnx import count_operators, plain_graph
from paddle_portrait.inference.deploy_file import TargetFiles

__all__ = ["LIMIT", "count_operators", "write"]

LIMIT = HALF_LIMIT


def write(job: ExportJob, folder: Path) -> TargetFiles:
    """Store the weights of the job's ONNX graph in float16, except those that the limit does not allow."""
    require_packages("onnx_fp16", ("onnxruntime",), "pip install onnxruntime")
    graph = plain_graph(job)
    if job.whole is None:
        keep = weights_to_keep(Rounding(graph, job.trials, LIMIT.value, job.output_op, job.form))
    else:
        source, files = job.whole.build("onnx_fp16")
        keep = weights_in_both(graph, source / files.model)
    store_compactly(graph, folder / "model.onnx", rounded=True, keep=keep)
    return TargetFiles("model.onnx")
