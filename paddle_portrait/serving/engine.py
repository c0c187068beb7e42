"""The way of a request through the process: decode, network, draw, each where it holds up nobody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from paddle_portrait.preprocess import Geometry
from paddle_portrait.serving.admission import Admission, PixelBudget, Slot
from paddle_portrait.serving.batching import Batcher
from paddle_portrait.serving.errors import Refusal
from paddle_portrait.serving.intake import decode, measure
from paddle_portrait.serving.metrics import Metrics
from paddle_portrait.serving.models import Model, Models
from paddle_portrait.serving.settings import Settings

_Result = TypeVar("_Result")


@dataclass
class Work:
    """A decoded request.

    Attributes:
        image: uint8 H×W×3.
        background: uint8 h×w×3, or None.
        tensor: the network's input.
        geometry: the way from the network's frame back to what was fed in.
        pixels: what it holds of the budget.
    """

    image: np.ndarray
    background: np.ndarray | None
    tensor: np.ndarray
    geometry: Geometry
    pixels: int


Prepare = Callable[[np.ndarray], tuple[np.ndarray, Geometry]]
Finish = Callable[[Work, np.ndarray], _Result]


@dataclass
class _Job:
    batcher: Batcher
    picture: bytes
    background: bytes | None
    prepare: Prepare
    finish: Finish[Any]
    deadline: float
    result: Future[Any] = field(default_factory=Future)


class Engine:
    """Models, queues and threads of one process.

    Args:
        settings: limits.
        metrics: what is counted.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.admission = Admission(settings.max_pending, int(settings.max_waiting_mib * 2**20))
        self.pixels = PixelBudget(int(settings.max_megapixels_at_work * 1e6))
        self.models = Models(settings, metrics.note_batch)
        # Two pools: decoding may wait for room, which drawing makes.
        self._decoding = ThreadPoolExecutor(settings.usable_runners(), "decode")
        self._drawing = ThreadPoolExecutor(settings.usable_runners(), "draw")
        self.streams = 0
        self._tasks: set[asyncio.Future] = set()

    async def model(self, name: str) -> Model:
        """Return a model, which may have to be loaded: that is done in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._decoding, self.models.get, name)

    async def run(
        self,
        slot: Slot,
        model: Model,
        picture: bytes,
        finish: Finish[_Result],
        background: bytes | None = None,
        prepare: Prepare | None = None,
    ) -> _Result:
        """Decode a picture, run the network, and return what ``finish`` makes of them.

        Args:
            slot: the request's place, which its work holds until it ends, waited for or not.
            model: which network.
            picture: the file.
            finish: called in a thread with the work and the person probability h×w at the network's size.
            background: the file of a second picture.
            prepare: makes the network's input (default: the predictor's own way).

        Raises:
            Refusal: the picture is not fit, or the work took too long (503).
        """
        deadline = time.monotonic() + self.settings.work_timeout_s
        job = _Job(model.batcher, picture, background, prepare or model.predictor.prepare, finish, deadline)
        slot.hold()
        model.batcher.announce()
        self._decoding.submit(self._feed, job)
        task = asyncio.wrap_future(job.result)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, slot))
        try:
            return await asyncio.wait_for(asyncio.shield(task), self.settings.work_timeout_s)
        except (asyncio.TimeoutError, TimeoutError):
            raise _too_slow() from None

    async def close(self) -> None:
        """Finish the work that is left, and end the threads."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(None, self.models.close)
        self._decoding.shutdown()
        self._drawing.shutdown()

    def _ended(self, task: asyncio.Future, slot: Slot) -> None:
        slot.release()
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # where nobody waits any more, nobody else looks

    def _feed(self, job: _Job) -> None:
        """First stage: decode, and queue for the network. Each stage starts the next without the event loop."""
        try:
            work = self._decode(job)
        except BaseException as error:
            job.batcher.withdraw()
            job.result.set_exception(error)
            return
        answered = job.batcher.submit(work.tensor)
        answered.add_done_callback(lambda person: self._drawing.submit(self._draw, job, work, person))

    def _draw(self, job: _Job, work: Work, person: Future[np.ndarray]) -> None:
        """Last stage."""
        try:
            _check(job.deadline)
            answer = job.finish(work, person.result())
        except BaseException as error:
            job.result.set_exception(error)
        else:
            job.result.set_result(answer)
        finally:
            self.pixels.release(work.pixels)

    def _decode(self, job: _Job) -> Work:
        _check(job.deadline)
        files = [job.picture] if job.background is None else [job.picture, job.background]
        sizes = [measure(file, self.settings.max_pixels, self.settings.max_side) for file in files]
        pixels = sum(width * height for width, height in sizes)
        self.pixels.acquire(pixels)
        try:
            _check(job.deadline)
            images = [decode(file, size) for file, size in zip(files, sizes, strict=True)]
            tensor, geometry = job.prepare(images[0])
        except BaseException:
            self.pixels.release(pixels)
            raise
        return Work(images[0], images[1] if images[1:] else None, tensor, geometry, pixels)


def _check(deadline: float) -> None:
    """Spare the work that nobody waits for any more."""
    if time.monotonic() > deadline:
        raise _too_slow()


def _too_slow() -> Refusal:
    return Refusal(503, "too_slow", "the work took longer than the server allows; try again, or a smaller picture.", 2)
