"""The way of a request through the process: decode, network, draw, all in one thread that holds up nobody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from paddle_portrait.preprocess import Geometry
from paddle_portrait.serving.admission import Admission, PixelBudget, Slot
from paddle_portrait.serving.batching import NoRoomYet
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
        geometry: the way from the network's frame back to what was fed in.
    """

    image: np.ndarray
    background: np.ndarray | None
    geometry: Geometry


Prepare = Callable[[np.ndarray], tuple[np.ndarray, Geometry]]
Finish = Callable[[Work, np.ndarray], _Result]


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
        self.streams = 0

    async def model(self, name: str) -> Model:
        """Return a model, which may have to be loaded: that is done in a thread."""
        loaded = self.models.loaded(name)
        if loaded is not None:
            return loaded
        return await asyncio.get_running_loop().run_in_executor(None, self.models.get, name)

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
        files = [picture] if background is None else [picture, background]
        job = _Job(self, slot, files, prepare or model.predictor.prepare, finish)
        timer = job.loop.call_later(self.settings.work_timeout_s, job.give_up)
        slot.hold()
        model.batcher.submit(job)
        try:
            return await job.answer
        finally:
            timer.cancel()

    async def close(self) -> None:
        """Finish the work that is left, and end the threads."""
        await asyncio.get_running_loop().run_in_executor(None, self.models.close)


class _Job:
    """A request on its way; a :class:`~paddle_portrait.serving.batching.Task`."""

    def __init__(self, engine: Engine, slot: Slot, files: list[bytes], prepare: Prepare, finish: Finish[Any]) -> None:
        self._slot, self._files, self._prepare, self._finish = slot, files, prepare, finish
        self._settings, self._budget = engine.settings, engine.pixels
        self._work: Work | None = None
        self._pixels = 0
        self.arrived = time.monotonic()
        self.loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Any] = self.loop.create_future()

    def give_up(self) -> None:
        """Tell who waits that it took too long; the place in the queue is kept until the work has ended."""
        if not self.answer.done():
            self.answer.set_exception(_too_slow())

    def open(self, wait: bool) -> np.ndarray:
        """Decode."""
        self._check_time()
        settings = self._settings
        headers = [measure(file, settings.max_pixels, settings.max_side) for file in self._files]
        pixels = sum(header.width * header.height for header in headers)
        if not self._budget.acquire(pixels, wait):
            raise NoRoomYet
        self._pixels = pixels
        self._check_time()
        images = [decode(file, size) for file, size in zip(self._files, headers, strict=True)]
        tensor, geometry = self._prepare(images[0])
        self._work = Work(images[0], images[1] if images[1:] else None, geometry)
        return tensor

    def close(self, person: np.ndarray) -> None:
        """Draw, and answer."""
        assert self._work is not None
        try:
            self._check_time()
            answer = self._finish(self._work, person)
        except BaseException as error:
            self.fail(error)
        else:
            self._end(answer, None)

    def fail(self, error: BaseException) -> None:
        """Answer with an error."""
        self._end(None, error)

    def _end(self, answer: Any, error: BaseException | None) -> None:
        self._work = None
        self._budget.release(self._pixels)
        self.loop.call_soon_threadsafe(self._settle, answer, error)

    def _settle(self, answer: Any, error: BaseException | None) -> None:
        self._slot.release()
        if self.answer.done():  # nobody waits any more
            return
        if error is None:
            self.answer.set_result(answer)
        else:
            self.answer.set_exception(error)

    def _check_time(self) -> None:
        """Spare the work that nobody waits for any more."""
        if time.monotonic() > self.arrived + self._settings.work_timeout_s:
            raise _too_slow()


def _too_slow() -> Refusal:
    return Refusal(503, "too_slow", "the work took longer than the server allows; try again, or a smaller picture.", 2)
