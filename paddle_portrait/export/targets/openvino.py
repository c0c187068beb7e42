"""OpenVINO's IR, from ONNX: ``model.xml`` with ``model.bin``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from paddle_portrait.export.child import run_converter
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.targets import require_packages
from paddle_portrait.inference.deploy_file import TargetFiles

# Layers of an IR file that are no computation.
_WIRING = {"Parameter", "Result", "Const"}


def write(job: ExportJob, folder: Path) -> TargetFiles:
    """Convert the job's ONNX graph, weights in full precision."""
    return convert("openvino", "onnx", job, folder)


def convert(target: str, origin: str, job: ExportJob, folder: Path) -> TargetFiles:
    """Convert the job's graph of format ``origin``, whose weights keep the precision that they have there."""
    require_packages(target, ("openvino",), "pip install openvino")
    source, files = job.build(origin)
    result = folder / "model.xml"
    run_converter(target, "paddle_portrait.export.openvino_child", [str(source / files.model), str(result)], result)
    return TargetFiles("model.xml", "model.bin")


def count_operators(folder: Path, files: TargetFiles) -> dict[str, int]:
    """Return how many operators of each type the graph holds."""
    layers = ElementTree.parse(folder / files.model).getroot().findall("./layers/layer")
    return dict(Counter(kind for kind in (layer.get("type", "") for layer in layers) if kind not in _WIRING))
