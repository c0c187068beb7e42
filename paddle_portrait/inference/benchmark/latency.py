"""Latency in turns, memory and load time of exported models.

Latencies of all are taken in one process, in turns, so that all meet the same load. Memory and load time are taken in a
process of its own for each, where nothing else is loaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from paddle_portrait.console import logger, track
from paddle_portrait.errors import UserError
from paddle_portrait.inference.backends import RUNTIMES
from paddle_portrait.inference.benchmark.profiles import NOT_REACHED, PROFILERS, profile
from paddle_portrait.inference.deploy_file import DeployFile
from paddle_portrait.inference.predictor import Predictor

ALL = "all"
_WARM_UP = 3
_CALLS_A_TURN = 3  # the first of which finds the caches cold, and does not count
_TIMEOUT_S = 300


@dataclass
class Figures:
    """What was measured of one model in one back end with one number of threads.

    Attributes:
        model: the directory or zoo name.
        backend: name of the back end.
        threads: of one call.
        runtime: name and version.
        bytes: of the target's files.
        p50_ms, p95_ms: of one call of the graph alone.
        load_ms: from files to a graph that has answered once, in a fresh process; the runtime's import included.
        memory_mb: what that process grew by, at most.
        shares: of the time by operator, from the runtime's own profiler; None where ``no_shares`` says why.
        no_shares: why there are none; None where there are.
    """

    model: str
    backend: str
    threads: int
    runtime: str
    bytes: int
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    load_ms: float | None = None
    memory_mb: float | None = None
    shares: dict[str, float] | None = field(default=None)
    no_shares: str | None = None


def benchmark(
    models: Sequence[str], backends: Sequence[str] = (ALL,), threads: Sequence[int] = (1,), turns: int = 30
) -> list[Figures]:
    """Measure exported models.

    Args:
        models: exported directories or zoo names.
        backends: names, or ``"all"`` for every back end that a model holds and this machine can run.
        threads: numbers of threads to try.
        turns: how often each is called in turn; two calls of each turn count.

    Raises:
        UserError: a model or back end does not exist, or nothing is left to be measured.
    """
    figures, predictors = [], []
    for model in models:
        for name in _backends_of(model, backends):
            for count in threads:
                try:
                    predictor = Predictor.load(model, name, count)
                except UserError as error:
                    if ALL not in backends:
                        raise
                    logger.warning("%s in %s is left out: %s", model, name, error)
                    continue
                files = DeployFile.read(predictor.directory).targets[name]
                size = sum((predictor.directory / file).stat().st_size for file in files.own_names())
                figures.append(Figures(str(model), name, count, predictor.runtime, size))
                predictors.append(predictor)
    if not figures:
        raise UserError(f"nothing to measure: no back end of {', '.join(models)} can run here.")
    for entry, times in zip(figures, _take_turns(predictors, turns), strict=True):
        entry.p50_ms, entry.p95_ms = (float(np.quantile(times, share)) * 1e3 for share in (0.5, 0.95))
    for entry, predictor in zip(track(figures, "memory and profiles"), predictors, strict=True):
        entry.load_ms, entry.memory_mb = _load_alone(predictor.directory, entry)
        if entry.backend not in PROFILERS:
            entry.no_shares = NOT_REACHED
        elif entry.threads != min(threads):
            entry.no_shares = f"see {min(threads)} threads: profiles are taken once, on one thread"
        else:
            entry.shares = profile(predictor.directory, entry.backend, input_of(predictor))
    return figures


def input_of(predictor: Predictor) -> np.ndarray:
    """Return a tensor of noise that the graph takes."""
    height, width = predictor.usual_size_hw
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return predictor.prepare(image)[0]


def _backends_of(model: str, wanted: Sequence[str]) -> list[str]:
    from paddle_portrait import zoo

    if ALL not in wanted:
        return list(wanted)
    held = DeployFile.read(zoo.find_export(model)).targets
    return [name for name, runtime in RUNTIMES.items() if name in held and runtime.installed()]


def _take_turns(predictors: Sequence[Predictor], turns: int) -> list[list[float]]:
    tensors = [input_of(predictor) for predictor in predictors]
    for predictor, tensor in zip(predictors, tensors, strict=True):
        for _ in range(_WARM_UP):
            predictor.run(tensor)
    times: list[list[float]] = [[] for _ in predictors]
    for _ in track(range(turns), "latency"):
        for predictor, tensor, own in zip(predictors, tensors, times, strict=True):
            for call in range(_CALLS_A_TURN):
                started = time.perf_counter()
                predictor.run(tensor)
                if call:
                    own.append(time.perf_counter() - started)
    return times


def _load_alone(directory: Path, entry: Figures) -> tuple[float | None, float | None]:
    """Return milliseconds and megabytes of a process that loads a model and runs it once; None where it died."""
    root = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", f"{__package__}.child", str(directory), entry.backend, str(entry.threads)]
    try:
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return None, None
    if done.returncode != 0 or not done.stdout.strip():
        logger.warning("%s in %s: loading it alone failed: %s", entry.model, entry.backend, done.stderr.strip()[-200:])
        return None, None
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return found["load_ms"], found["memory_mb"]
