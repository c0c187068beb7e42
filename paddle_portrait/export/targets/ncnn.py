"""ncnn, from ONNX by pnnx: ``model.ncnn.param`` with ``model.ncnn.bin``."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections import Counter
from pathlib import Path

from paddle_portrait.export.child import run_program
from paddle_portrait.export.errors import ExportError
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.targets import require_packages
from paddle_portrait.export.targets.onnx import plain_graph
from paddle_portrait.inference.deploy_file import TargetFiles

# pnnx demands PyTorch for its Python part alone, which is not used here: its converter is a program of its own.
_INSTALL = "pip install ncnn && pip install --no-deps pnnx"
_WIRING = {"Input", "Split"}


def refusal(job: ExportJob) -> str | None:
    """Return why ncnn cannot hold the job."""
    if -1 in job.input_shape:
        return "it is made for one input size; give that: --input_shape H W."
    if job.output_op == "argmax":
        return "it has no argmax over channels; give probabilities: --output_op softmax (or sigmoid, or none)."
    if job.options.bit_packed or job.input_dtype != "float32":
        return "it computes with floats only: leave out bit_packed and normalise_in_graph."
    return None


def write(job: ExportJob, folder: Path) -> TargetFiles:
    """Convert the job's ONNX graph."""
    require_packages("ncnn", ("pnnx",), _INSTALL)
    source = plain_graph(job)
    # pnnx writes a dozen files beside the one that it reads.
    graph = folder / "pnnx" / "model.onnx"
    graph.parent.mkdir()
    shutil.copyfile(source, graph)
    shape = ",".join(str(size) for size in job.input_shape)
    result = graph.with_name("model.ncnn.param")
    run_program("ncnn", [str(_converter()), graph.name, f"inputshape=[{shape}]", "fp16=0"], result)
    _require_known_layers(result)
    for name in (result.name, "model.ncnn.bin"):
        shutil.move(graph.with_name(name), folder / name)
    return TargetFiles(result.name, "model.ncnn.bin")


def _require_known_layers(param: Path) -> None:
    """Raise ExportError where pnnx has written layers that ncnn does not have (tests/runtime_faults/ncnn_*.py)."""
    if importlib.util.find_spec("ncnn") is None:
        return
    import ncnn

    layers = [line.split()[:2] for line in param.read_text(encoding="utf-8").splitlines()[2:] if line.strip()]
    unknown = [f"{kind} ({name})" for kind, name in layers if ncnn.layer_to_index(kind) < 0]
    if unknown:
        raise ExportError(
            f"format ncnn: it has no layer for {', '.join(unknown)}, which pnnx writes all the same. "
            "What to use instead, and in which layers: tools/check_ops.py --format ncnn."
        )


def _converter() -> Path:
    spec = importlib.util.find_spec("pnnx")
    assert spec is not None and spec.origin is not None  # asked for above
    return Path(spec.origin).with_name("pnnx.exe" if os.name == "nt" else "pnnx")


def count_operators(folder: Path, files: TargetFiles) -> dict[str, int]:
    """Return how many operators of each type the graph holds."""
    _magic, _counts, *layers = (folder / files.model).read_text(encoding="utf-8").splitlines()
    kinds = (layer.split()[0] for layer in layers if layer.strip())
    return dict(Counter(kind for kind in kinds if kind not in _WIRING))
