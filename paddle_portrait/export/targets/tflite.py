"""TensorFlow Lite, from ONNX by onnx2tf, which lives in an environment of its own: its pins contradict ours."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

from paddle_portrait.environments import SideEnvironment
from paddle_portrait.export.child import run_converter
from paddle_portrait.export.errors import MissingPackageError
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.targets.onnx import plain_graph
from paddle_portrait.inference.deploy_file import TargetFiles

ENVIRONMENT = SideEnvironment(
    owner="onnx2tf",
    folder=".venv-tflite",
    variable="PORTRAIT_TFLITE_PYTHON",
    install="make tflite-env",
    pythons="3.12 or 3.13",
    holds="onnx2tf >= 2.6",
)


def refusal(job: ExportJob) -> str | None:
    """Return why TensorFlow Lite cannot hold the job."""
    if -1 in job.input_shape:
        return "it is made for one input size; give that: --input_shape H W."
    return None


def write(job: ExportJob, folder: Path) -> TargetFiles:
    """Convert the job's ONNX graph; the image goes in as N×H×W×C, the output stays N×C×H×W."""
    python = ENVIRONMENT.require("format tflite", MissingPackageError)
    source = plain_graph(job)
    # Beside the file it writes reports and schemas.
    result = folder / "onnx2tf" / f"{source.stem}_float32.tflite"
    result.parent.mkdir()
    arguments = ["-i", str(source), "-o", str(result.parent), "-n", "-v", "error"]
    run_converter("tflite", "onnx2tf", arguments, result, python)
    shutil.move(result, folder / "model.tflite")
    return TargetFiles("model.tflite")


def count_operators(folder: Path, files: TargetFiles) -> dict[str, int]:
    """Return how many operators of each type the graph holds; nothing where no reader of such files is installed."""
    try:
        import tflite
    except ModuleNotFoundError:
        return {}
    model = tflite.Model.GetRootAs((folder / files.model).read_bytes(), 0)
    graph = model.Subgraphs(0)
    codes = (model.OperatorCodes(graph.Operators(i).OpcodeIndex()) for i in range(graph.OperatorsLength()))
    return dict(Counter(tflite.opcode2name(max(code.BuiltinCode(), code.DeprecatedBuiltinCode())) for code in codes))
