"""ONNX, converted from Paddle's present format by paddle2onnx."""

from __future__ import annotations

import importlib.util
import shutil
from collections import Counter
from pathlib import Path

from paddle_portrait.export.child import run_converter
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.targets import require_packages
from paddle_portrait.inference.deploy_file import TargetFiles

OPSET = 13
_INSTALL = "pip install paddle2onnx onnx"


def write(job: ExportJob, folder: Path) -> TargetFiles:
    """Convert the job's PIR graph."""
    require_packages("onnx", ("paddle2onnx", "onnx"), _INSTALL)
    source, files = job.build("paddle")
    model, params = readable_copy(source, files, folder / "readable")
    result = folder / "converted.onnx"
    run_converter(
        "onnx", "paddle_portrait.export.onnx_child", [str(OPSET), str(model), str(params), str(result)], result
    )
    tidy(result, folder / "model.onnx")
    return TargetFiles("model.onnx")


def tidy(source: Path, target: Path) -> None:
    """Write a graph without what its converter leaves: identities, reshaped constants, biases added apart.

    ONNX Runtime's basic optimisation writes standard operators only. Without that package the graph stays as it is.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        shutil.copyfile(source, target)
        return
    import onnx

    from paddle_portrait.export.quantisation.graph import simplified

    onnx.save(simplified(source), str(target))


def readable_copy(source: Path, files: TargetFiles, folder: Path) -> tuple[Path, Path]:
    """Write a copy of an export in Paddle's present format that paddle2onnx reads rightly; return model and params.

    Paddle ≥ 3.2 stores some floats (pad values, slopes, epsilons) as doubles, which paddle2onnx 2.1 reads as
    whatever lies in memory: no error, wrong answers. In the copy they are floats.
    """
    folder.mkdir()
    graph = (source / files.model).read_text(encoding="utf-8").replace("0.a_f64", "0.a_f32")
    (folder / "model.json").write_text(graph, encoding="utf-8")
    shutil.copyfile(source / "model.pdiparams", folder / "model.pdiparams")
    return folder / "model.json", folder / "model.pdiparams"


def count_operators(folder: Path, files: TargetFiles) -> dict[str, int]:
    """Return how many operators of each type the graph holds."""
    import onnx

    return dict(Counter(node.op_type for node in onnx.load(str(folder / files.model)).graph.node))
