"""Shares of the time by operator, as each runtime's own profiler tells them; one thread."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from paddle_portrait.inference.deploy_file import DeployFile, TargetFiles

_WARM_UP, _RUNS = 2, 10

NOT_REACHED = "not measured: this program reaches no profiler of this runtime"  # MNN, ncnn, LiteRT, Paddle Lite

Durations = Iterable[tuple[str, float]]


def profile(directory: Path, backend: str, tensor: np.ndarray) -> dict[str, float]:
    """Return each operator's share of the time, the largest first.

    Args:
        directory: the exported directory.
        backend: a key of :data:`PROFILERS`.
        tensor: what the graph takes.
    """
    sums: dict[str, float] = defaultdict(float)
    files = DeployFile.read(directory).targets[backend]
    for operator, duration in PROFILERS[backend](directory, files, tensor):
        sums[operator] += duration
    total = sum(sums.values()) or 1.0
    return {name: round(value / total, 4) for name, value in sorted(sums.items(), key=lambda item: -item[1])}


def _onnx(directory: Path, files: TargetFiles, tensor: np.ndarray) -> Durations:
    import onnxruntime

    with tempfile.TemporaryDirectory() as scratch:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        options.enable_profiling, options.profile_file_prefix = True, str(Path(scratch) / "profile")
        model = str(directory / files.model)
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        for _ in range(_WARM_UP + _RUNS):
            session.run(None, {session.get_inputs()[0].name: tensor})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    seen: dict[str, int] = defaultdict(int)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            seen[event["name"]] += 1
            if seen[event["name"]] > _WARM_UP:
                yield event["args"]["op_name"], event["dur"]


def _openvino(directory: Path, files: TargetFiles, tensor: np.ndarray) -> Durations:
    import openvino

    settings = {"PERF_COUNT": True, "INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(str(directory / files.model), "CPU", settings).create_infer_request()
    for run in range(_WARM_UP + _RUNS):
        request.infer([tensor])
        for entry in request.get_profiling_info() if run >= _WARM_UP else ():
            if entry.status == openvino.ProfilingInfo.Status.EXECUTED:
                yield entry.node_type, entry.real_time.total_seconds()


def _paddle(directory: Path, files: TargetFiles, tensor: np.ndarray) -> Durations:
    from paddle import profiler

    from paddle_portrait.inference.backends import open_backend

    backend = open_backend("paddle", directory, files, 1)
    for _ in range(_WARM_UP):
        backend.run(tensor)
    with profiler.Profiler(targets=[profiler.ProfilerTarget.CPU], on_trace_ready=lambda _: None) as recorded:
        for _ in range(_RUNS):
            backend.run(tensor)
            recorded.step()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "trace.json"
        recorded.export(str(path), format="json")
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    for event in events:
        if event.get("cat") == "Operator":
            yield event["name"].partition("[")[0].removeprefix("pd_op.").rstrip("_"), event["dur"]


PROFILERS: dict[str, Callable[[Path, TargetFiles, np.ndarray], Durations]] = {
    "onnx": _onnx,
    "onnx_fp16": _onnx,
    "onnx_int8": _onnx,
    "onnx_int8_weights": _onnx,
    "openvino": _openvino,
    "openvino_fp16": _openvino,
    "paddle": _paddle,
    "paddle_legacy": _paddle,
}
