"""Paddle Lite, in a process of its own environment."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from paddle_portrait.console import logger
from paddle_portrait.errors import UserError
from paddle_portrait.inference.deploy_file import TargetFiles
from paddle_portrait.inference.lite.environment import require_python
from paddle_portrait.inference.lite.process import LiteProcess, WorkerDied


def open_graph(directory: Path, files: TargetFiles, threads: int | None) -> PaddleLiteBackend:
    """Load the ``.nb`` file for x86; ``threads`` None means one."""
    return PaddleLiteBackend(require_python("back end 'paddlelite'"), directory / files.model, threads or 1)


class PaddleLiteBackend:
    """A process with Paddle Lite, started anew when it has died. Calls from several threads take turns."""

    def __init__(self, python: Path, model: Path, threads: int) -> None:
        self._python, self._model, self._threads = python, model, threads
        self._lock = threading.Lock()
        self._process: LiteProcess | None = self._start()
        self.runtime = f"paddle lite {self._process.version}"

    @property
    def pid(self) -> int | None:
        """Number of the process; None while there is none."""
        return None if self._process is None else self._process.pid

    def run(self, tensor: np.ndarray) -> np.ndarray:
        """Map N×C×H×W to the graph's first output.

        Raises:
            UserError: Paddle Lite refuses this input, or dies of it twice.
        """
        with self._lock:
            try:
                return self._running().run(tensor)
            except WorkerDied as death:
                logger.warning("the process with Paddle Lite died (%s); starting it anew", death)
                self._process = None
            try:
                return self._running().run(tensor)
            except WorkerDied as death:
                self._process = None
                raise UserError(
                    f"Paddle Lite dies of '{self._model}' with an input of shape {list(tensor.shape)}: {death}."
                ) from None

    def _running(self) -> LiteProcess:
        if self._process is None:
            self._process = self._start()
        return self._process

    def _start(self) -> LiteProcess:
        try:
            return LiteProcess(self._python, self._model, self._threads)
        except WorkerDied as death:
            raise UserError(f"Paddle Lite cannot load '{self._model}': {death}.") from None
