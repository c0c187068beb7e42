"""Where the time goes: by layer in Paddle, by operator in ONNX Runtime. One thread of this machine's CPU."""

from __future__ import annotations

import json
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn

_WARM_UP = 2


def time_layers(network: nn.Layer, input_shape: Sequence[int], runs: int) -> dict[str, float]:
    """Return each layer's own milliseconds in Paddle, without the layers inside it; median of ``runs``.

    Functional calls count for the layer whose ``forward`` makes them; "" is the network's own ``forward``. The hooks
    that measure cost a few microseconds a layer.
    """
    from paddle_portrait.engine.inferring import eval_mode

    clock = _Clock()
    hooks = []
    for name, layer in network.named_sublayers(include_self=True):
        hooks += [layer.register_forward_pre_hook(clock.enter), layer.register_forward_post_hook(clock.leave(name))]
    samples: dict[str, list[float]] = defaultdict(list)
    image = paddle.to_tensor(_noise(input_shape))
    try:
        with eval_mode(network), paddle.no_grad():
            for index in range(_WARM_UP + runs):
                clock.own.clear()
                network(image)
                if index >= _WARM_UP:
                    for name, seconds in clock.own.items():
                        samples[name].append(1e3 * seconds)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: statistics.median(values) for name, values in samples.items()}


def time_onnx(model: Path, input_shape: Sequence[int], runs: int, folder: Path) -> dict[str, dict[str, float]]:
    """Return milliseconds in ONNX Runtime by ``operators`` (types) and ``nodes``, means of ``runs``, one thread.

    Args:
        model: the ONNX file.
        input_shape: N, C, H, W.
        runs: how often it is run and averaged.
        folder: where the profiler may write.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: _noise(input_shape)}
    for _ in range(_WARM_UP + runs):
        session.run(None, feed)
    events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return _sum_profile(events, runs)


def _sum_profile(events: list[dict[str, Any]], runs: int) -> dict[str, dict[str, float]]:
    by_type: dict[str, float] = defaultdict(float)
    by_node: dict[str, float] = defaultdict(float)
    calls: dict[str, int] = defaultdict(int)
    for event in events:
        if event.get("cat") != "Node" or not event["name"].endswith("_kernel_time"):
            continue
        node = event["name"].removesuffix("_kernel_time")
        calls[node] += 1
        if calls[node] > _WARM_UP:
            by_type[event["args"]["op_name"]] += event["dur"] / 1e3 / runs
            by_node[node] += event["dur"] / 1e3 / runs
    return {"operators": dict(by_type), "nodes": dict(by_node)}


def _noise(input_shape: Sequence[int]) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(tuple(input_shape)).astype(np.float32)


class _Clock:
    """Adds up, layer by layer, the time that is not spent in a layer inside it."""

    def __init__(self) -> None:
        self.own: dict[str, float] = defaultdict(float)
        self._open: list[list[float]] = []  # start, and the time of what is inside

    def enter(self, layer: nn.Layer, inputs: Any) -> None:
        self._open.append([time.perf_counter(), 0.0])

    def leave(self, name: str) -> Any:
        def hook(layer: nn.Layer, inputs: Any, output: Any) -> None:
            start, inside = self._open.pop()
            whole = time.perf_counter() - start
            self.own[name] += whole - inside
            if self._open:
                self._open[-1][1] += whole

        return hook
