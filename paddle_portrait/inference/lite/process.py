"""Our end of the process that runs Paddle Lite."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from paddle_portrait.errors import UserError
from paddle_portrait.inference.lite.worker import SharedArray

WORKER = Path(__file__).with_name("worker.py")
_PATIENCE_S = 120.0  # for a start or a run, on whatever busy machine
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class WorkerDied(Exception):
    """The process ended, or hung; the message says what it last said."""


class LiteProcess:
    """A process with one graph loaded, and the memory that both sides share.

    Args:
        python: interpreter of Paddle Lite's environment.
        model: a ``.nb`` file.
        threads: threads of one run.

    Raises:
        WorkerDied: it did not come up.
    """

    def __init__(self, python: Path, model: Path, threads: int) -> None:
        ours, theirs = socket.socketpair()
        # Anonymous files in memory: nothing stays behind, however either side ends.
        descriptors = [os.memfd_create("lite-input"), os.memfd_create("lite-output")]
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the process)
        count = str(threads)
        with theirs:
            passed = [theirs.fileno(), *descriptors]
            self._process = subprocess.Popen(
                [str(python), "-I", str(WORKER), *map(str, passed), str(model)],
                pass_fds=passed,
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                env={**os.environ, "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count},
            )
        ours.settimeout(_PATIENCE_S)
        self._lines = ours.makefile("rw", encoding="utf-8")
        self._sent, self._received = (SharedArray(descriptor) for descriptor in descriptors)
        self._finalizer = weakref.finalize(self, _end, ours, self._lines, descriptors, self._process)
        self.version: str = self._answer()["version"]

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def run(self, tensor: np.ndarray) -> np.ndarray:
        """Map N×C×H×W to the graph's first output, an array of its own.

        Raises:
            WorkerDied: the process is gone.
            UserError: Paddle Lite refused the input.
        """
        shared = np.frombuffer(self._sent.bytes(tensor.nbytes), tensor.dtype, tensor.size)
        np.copyto(shared, tensor.ravel())
        try:
            self._lines.write(json.dumps({"shape": tensor.shape, "dtype": tensor.dtype.name}) + "\n")
            self._lines.flush()
        except OSError:
            raise self._death() from None
        answer = self._answer()
        if "error" in answer:
            raise UserError(f"Paddle Lite: {answer['error']}.")
        kind, shape = np.dtype(answer["dtype"]), answer["shape"]
        count = int(np.prod(shape))
        return np.frombuffer(self._received.bytes(count * kind.itemsize), kind, count).reshape(shape).copy()

    def close(self) -> None:
        """End the process."""
        self._finalizer()

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except OSError:  # reset, or nothing came in time
            line = ""
        if not line.endswith("\n"):
            raise self._death()
        return json.loads(line)

    def _death(self) -> WorkerDied:
        self._finalizer()
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace")
        code = self._process.returncode
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return WorkerDied(f"{how}: {last_words(said)}")


def last_words(said: str) -> str:
    """Return the line of Paddle Lite's output that says why it died, else the last one."""
    lines = [_COLOUR.sub("", line).strip() for line in said.splitlines()]
    lines = [line for line in lines if line]
    fatal = [line for line in lines if line.startswith("[F")]
    return (fatal or lines or ["it said nothing"])[-1]


def _end(ours: socket.socket, lines: Any, descriptors: list[int], process: subprocess.Popen) -> None:
    for closing in (lines, ours):
        with suppress(OSError):  # what was still to be sent may have no receiver
            closing.close()
    for descriptor in descriptors:
        os.close(descriptor)
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
