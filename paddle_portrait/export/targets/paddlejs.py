"""Paddle.js: ``model.json`` with ``chunk_1.dat``, ``chunk_2.dat``, …, written by ourselves.

The published converter needs packages that are gone from the registry, and ruins tensors of five dimensions without
a word. The format is one of plain text and floats.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.paddlejs_graph import INPUT, Graph, read_graph
from paddle_portrait.export.paddlejs_rules import adapt, known_names
from paddle_portrait.export.targets import HALF_LIMIT
from paddle_portrait.inference.backends import Backend
from paddle_portrait.inference.deploy_file import TargetFiles

LIMIT = HALF_LIMIT  # WebGL rounds as graphics cards do
MOST_TRIALS = 3  # two portraits and noise: drawn in software, each takes seconds

_CHUNK_FLOATS = 4096 * 1024 // 4


def refusal(job: ExportJob) -> str | None:
    """Paddle.js compiles its shaders for one size, and feeds floats."""
    if any(size < 1 for size in job.input_shape[1:]):
        return f"needs one size, but the input shape is {list(job.input_shape)}. Give --input_shape HEIGHT WIDTH."
    if job.input_dtype != "float32":
        return "takes float32 inputs only; leave normalise_in_graph out."
    return None


def operator_names() -> set[str]:
    """Return what the WebGL back end computes rightly, and what is rewritten for it."""
    return known_names()


def write(job: ExportJob, folder: Path) -> TargetFiles:
    """Write the job's legacy graph in Paddle.js' format."""
    source, files = job.build("paddle_legacy")
    graph = adapt(read_graph(source / files.model, source / str(files.params)))
    chunks = _write_chunks(graph, folder)
    (folder / "model.json").write_text(json.dumps(_content(graph, len(chunks)), indent=1), encoding="utf-8")
    return TargetFiles("model.json", others=tuple(chunks))


def count_operators(folder: Path, files: TargetFiles) -> dict[str, int]:
    """Return how many operators of each type the graph holds."""
    kinds = (operator["type"] for operator in json.loads((folder / files.model).read_text(encoding="utf-8"))["ops"])
    return dict(Counter(kind for kind in kinds if kind not in ("feed", "fetch")))


def open_runner(directory: Path, files: TargetFiles, threads: int | None) -> Backend:
    """Load the files in a headless Chromium, which takes as many threads as it likes.

    Raises:
        CannotRunHereError: Chromium or the npm packages of Paddle.js are missing.
        UserError: Paddle.js cannot load the files.
    """
    from paddle_portrait.export.browser_runner import BrowserRunner

    return BrowserRunner(directory, files)


def _write_chunks(graph: Graph, folder: Path) -> list[str]:
    """Write all weights as little-endian floats in the alphabetical order of their names, 4 MB a file."""
    values = np.concatenate([graph.weights[name].astype("<f4").ravel() for name in sorted(graph.weights)])
    names = []
    for number, start in enumerate(range(0, len(values), _CHUNK_FLOATS), start=1):
        names.append(f"chunk_{number}.dat")
        values[start : start + _CHUNK_FLOATS].tofile(folder / names[-1])
    return names


def _content(graph: Graph, chunks: int) -> dict[str, Any]:
    channels, height, width = graph.shapes[INPUT][1:]
    operators = [
        {
            "type": operator.kind,
            "inputs": {"X": ["feed"]} if operator.kind == "feed" else operator.inputs,
            "outputs": operator.outputs,
            "attrs": operator.attributes,
        }
        for operator in graph.operators
    ]
    return {
        "ops": operators,
        "vars": {
            name: {"name": name, "shape": graph.shapes[name], "persistable": name in graph.weights}
            for name in sorted(graph.shapes)
        },
        "chunkNum": chunks,
        "dataLayout": "nchw",
        "feedShape": {"fc": channels, "fh": height, "fw": width},
    }
