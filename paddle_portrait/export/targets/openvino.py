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
    return convert("openvino", job, folder, half=False)


def convert(target: str, job: ExportJob, folder: Path, half: bool) -> TargetFiles:
    """Convert the job's ONNX graph; ``half`` stores the weights in float16 (arithmetic stays as the runtime says)."""
    require_packages(target, ("openvino",), "pip install openvino")
    source, files = job.build("onnx")
    result = folder / "model.xml"
    arguments = [str(int(half)), str(source / files.model), str(result)]
    run_converter(target, "paddle_portrait.export.openvino_child", arguments, result)
    return TargetFiles("model.xml", "model.bin")


def count_operators(folder: Path, files: TargetFiles) -> dict[str, int]:
    """Return how many operators of each type the graph holds."""
    layers = ElementTree.parse(folder / files.model).getroot().findall("./layers/layer")
    return dict(Counter(kind for kind in (layer.get("type", "") for layer in layers) if kind not in _WIRING))
