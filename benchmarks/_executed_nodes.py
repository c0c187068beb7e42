"""Where a graph's time goes: the nodes that ONNX Runtime executes, by its own profiler."""

from __future__ import annotations

import json
import math
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

RUNS = 100
SHOWN = 14


def executed_nodes(model: Path, shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return kind, shapes, microseconds and multiply-adds of each node, the slowest first.

    A node's time is the fifth part from below of its calls, which other work on the machine moves least. The
    profiler's own time, one to three microseconds a node, is within.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level, options.enable_profiling = 1, 3, True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = f"{folder}/profile"
        session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        noise = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
        for _ in range(RUNS):
            session.run(None, {session.get_inputs()[0].name: noise})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    times, details = defaultdict[str, list[int]](list), dict[str, dict[str, Any]]()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times[event["name"]].append(event["dur"])
            details[event["name"]] = event["args"]
    nodes = [_node(details[name], float(np.percentile(durations, 20))) for name, durations in times.items()]
    return sorted(nodes, key=lambda node: -node["microseconds"])


def slowest_nodes(nodes: list[dict[str, Any]], peak_gmacs_per_s: float) -> str:
    """Return the slowest nodes as Markdown, and all others of each kind together."""
    total = sum(node["microseconds"] for node in nodes)
    lines = ["| node | from | to | µs | of the time | of the peak |", "|---|---|---|---|---|---|"]

    def line(name: str, ends: tuple[str, str], members: list[dict[str, Any]]) -> None:
        spent, macs = (sum(node[key] for node in members) for key in ("microseconds", "macs"))
        peak = f"{macs / spent / 1000 / peak_gmacs_per_s:.0%}" if macs else ""
        lines.append(f"| {name} | {ends[0]} | {ends[1]} | {spent:.0f} | {spent / total:.0%} | {peak} |")

    for node in nodes[:SHOWN]:
        line(node["kind"], (node["from"], node["to"]), [node])
    others = defaultdict[str, list[dict[str, Any]]](list)
    for node in nodes[SHOWN:]:
        others[node["kind"]].append(node)
    for kind, members in sorted(others.items(), key=lambda one: -sum(node["microseconds"] for node in one[1])):
        line(f"{len(members)} others: {kind}", ("", ""), members)
    line(f"all {len(nodes)}", ("", ""), nodes)
    return "\n".join(lines)


def _node(details: dict[str, Any], microseconds: float) -> dict[str, Any]:
    inputs, outputs = ([_shape(each) for each in details[f"{side}_type_shape"]] for side in ("input", "output"))
    kind = details["op_name"]
    ends = ("×".join(map(str, _largest(side))) for side in (inputs, outputs))
    return {
        "kind": kind,
        **dict(zip(("from", "to"), ends, strict=True)),
        "microseconds": round(microseconds, 1),
        "macs": _multiply_adds(kind, inputs, outputs[0] if outputs else []),
    }


def _multiply_adds(kind: str, inputs: list[list[int]], result: list[int]) -> int:
    """Return a node's multiply-adds, those with the zeros that fill up its channels too."""
    if kind in ("Conv", "FusedConv"):
        return math.prod(result) * math.prod(inputs[1][1:])
    return math.prod(result) * inputs[0][-1] if kind in ("MatMul", "Gemm", "FusedGemm", "FusedMatMul") else 0


def _largest(shapes: list[list[int]]) -> list[int]:
    return max(shapes, key=math.prod, default=[])


def _shape(typed: dict[str, list[int]]) -> list[int]:
    return next(iter(typed.values()))
