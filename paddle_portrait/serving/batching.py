"""Requests that come at the same time go through the network together."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np


@dataclass(eq=False)
class _Waiting:
    tensor: np.ndarray
    future: Future[np.ndarray] = field(default_factory=Future)
    arrived: float = field(default_factory=time.monotonic)


class Batcher:
    """Gathers tensors of one shape, runs the network on them, and hands each its own answer.

    A runner takes what waits, up to ``max_batch``. It waits for more only while others are announced, that is, are
    being decoded at this moment, and never longer than ``max_wait_s`` after the first of the batch came.

    Args:
        run: maps N×C×h×w to N×h×w; called by several threads.
        max_batch: largest N.
        max_wait_s: longest wait.
        runners: threads.
        note_batch: told the size and the seconds of each run.
    """

    def __init__(
        self,
        run: Callable[[np.ndarray], np.ndarray],
        max_batch: int,
        max_wait_s: float,
        runners: int,
        note_batch: Callable[[int, float], None],
    ) -> None:
        self._run, self._max_batch, self._max_wait_s, self._note = run, max_batch, max_wait_s, note_batch
        self._queue: deque[_Waiting] = deque()
        self._announced = 0
        self._closed = False
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._work, name=f"runner-{i}", daemon=True) for i in range(runners)]
        for thread in self._threads:
            thread.start()

    def announce(self) -> None:
        """Say that a tensor is being made; :meth:`submit` or :meth:`withdraw` must follow."""
        with self._changed:
            self._announced += 1

    def withdraw(self) -> None:
        """Say that the announced tensor will not come."""
        with self._changed:
            self._announced -= 1
            self._changed.notify_all()

    def submit(self, tensor: np.ndarray) -> Future[np.ndarray]:
        """Queue an announced tensor, 1×C×h×w; the future gives its h×w."""
        waiting = _Waiting(tensor)
        with self._changed:
            self._announced -= 1
            self._queue.append(waiting)
            self._changed.notify_all()
        return waiting.future

    def close(self) -> None:
        """Finish what waits and end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while batch := self._gather():
            start = time.perf_counter()
            try:
                persons = self._run(np.concatenate([one.tensor for one in batch]) if batch[1:] else batch[0].tensor)
            except Exception as error:  # the requests fail; the thread must not
                for one in batch:
                    one.future.set_exception(error)
            else:
                for one, person in zip(batch, persons, strict=True):
                    one.future.set_result(person)
            self._note(len(batch), time.perf_counter() - start)

    def _gather(self) -> list[_Waiting]:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            if not self._queue:
                return []
            batch = [self._queue.popleft()]
            while True:
                self._take_alike(batch)
                left = batch[0].arrived + self._max_wait_s - time.monotonic()
                if len(batch) >= self._max_batch or not self._announced or left <= 0:
                    return batch
                self._changed.wait(left)

    def _take_alike(self, batch: list[_Waiting]) -> None:
        alike = [one for one in self._queue if one.tensor.shape == batch[0].tensor.shape]
        for one in alike[: self._max_batch - len(batch)]:
            self._queue.remove(one)
            batch.append(one)
