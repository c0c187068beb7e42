"""Requests that wait at the same time go through the network together."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

_MOST_IN_TURN, _LONGEST_TURN_S = 4, 0.05


class NoRoomYet(Exception):
    """A task cannot be opened before others have ended."""


class Task(Protocol):
    """A request, as a runner sees it. All is called in the runner's thread; of ``close`` and ``fail`` one, once."""

    arrived: float
    """When it was submitted, seconds of ``time.monotonic``."""

    def open(self, wait: bool) -> np.ndarray:
        """Return the network's input, 1×C×h×w.

        Raises:
            NoRoomYet: there is no room for it now, and ``wait`` is False.
            Exception: any other one ends the task.
        """
        ...

    def close(self, person: np.ndarray) -> None:
        """Take the network's answer, h×w. Must not raise."""
        ...

    def fail(self, error: BaseException) -> None:
        """Take what happened instead of an answer. Must not raise."""
        ...


class Batcher:
    """Threads, each of which takes requests through all their work: open, network, close.

    No request changes its thread on its way, as every hand-over costs a small network's request some percent of its
    time. A runner takes what waits, at most ``max_batch`` and its share where others are idle. It waits for more only
    when it comes from work, and never longer than ``max_wait_s`` after the first of the batch came.

    Between two runs of the network little of the code around it is left in the cores' caches. So a runner that is
    behind opens some requests in turn, runs the network for each (or for batches of them), and closes them in turn: at
    most four, no more than its share of the queue, and only so many as would have taken less than 50 ms in its last
    turn, as the first of them waits for the last. Where opening alone takes a quarter of that, it opens one
    batch.

    Args:
        run: maps N×C×h×w to N×h×w; called by several threads.
        max_batch: largest N.
        max_wait_s: longest wait for a batch to fill.
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
        self._queue: deque[Task] = deque()
        self._idle, self._runners = 0, runners
        self._closed = False
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._work, name=f"runner-{i}", daemon=True) for i in range(runners)]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Task) -> None:
        """Queue a task."""
        with self._changed:
            self._queue.append(task)
            self._changed.notify()

    def close(self) -> None:
        """Finish what waits and end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        most_in_turn = 1
        while waiting := self._gather(most_in_turn):
            start, count = time.perf_counter(), 0
            while waiting:
                opened = _open_some(waiting, self._max_batch)
                count += len(opened)
                for task, person in self._run_all(opened):
                    task.close(person)
            if count:  # what was refused says nothing about how long an answer takes
                seconds_each = max(1e-6, time.perf_counter() - start) / count
                most_in_turn = max(1, min(_MOST_IN_TURN, int(_LONGEST_TURN_S / seconds_each)))

    def _gather(self, most_in_turn: int) -> deque[Task]:
        """Return what to do next; nothing when all is done and closed."""
        with self._changed:
            was_idle = not self._queue
            self._idle += 1
            self._changed.wait_for(lambda: self._queue or self._closed)
            self._idle -= 1
            batch: deque[Task] = deque()
            most = max(
                min(self._max_batch, -(-len(self._queue) // (1 + self._idle))),
                min(most_in_turn, -(-len(self._queue) // self._runners)),
            )
            while len(batch) < most:
                batch.append(self._queue.popleft())
            while batch and not was_idle and not self._idle and not self._closed and len(batch) < self._max_batch:
                left = batch[0].arrived + self._max_wait_s - time.monotonic()
                if left <= 0 or not self._changed.wait_for(lambda: self._queue, left):
                    break
                batch.append(self._queue.popleft())
            return batch

    def _run_all(self, opened: list[tuple[Task, np.ndarray]]) -> list[tuple[Task, np.ndarray]]:
        """Return the tasks with their answers; those whose run failed are gone."""
        by_shape: dict[tuple[int, ...], list[tuple[Task, np.ndarray]]] = {}
        for task, tensor in opened:
            by_shape.setdefault(tensor.shape, []).append((task, tensor))
        answered: list[tuple[Task, np.ndarray]] = []
        for alike in by_shape.values():
            for first in range(0, len(alike), self._max_batch):
                batch = alike[first : first + self._max_batch]
                answered += self._run_together([task for task, _ in batch], [tensor for _, tensor in batch])
        return answered

    def _run_together(self, tasks: list[Task], tensors: list[np.ndarray]) -> list[tuple[Task, np.ndarray]]:
        start = time.perf_counter()
        try:
            persons = self._run(np.concatenate(tensors) if tensors[1:] else tensors[0])
        except Exception as error:  # the requests fail; the thread must not
            for task in tasks:
                task.fail(error)
            return []
        self._note(len(tasks), time.perf_counter() - start)
        return list(zip(tasks, persons, strict=True))


def _open_some(waiting: deque[Task], max_batch: int) -> list[tuple[Task, np.ndarray]]:
    """Take from the front of ``waiting`` what can be opened now, at least one; those that fail are gone.

    Beyond one batch the rest is left for later where opening shows that these are slower than those of the turn before.
    """
    opened: list[tuple[Task, np.ndarray]] = []
    deadline = time.perf_counter() + _LONGEST_TURN_S / _MOST_IN_TURN
    while waiting and not (len(opened) >= max_batch and time.perf_counter() > deadline):
        try:
            # Who holds room must not wait for more of it, or two runners might wait for each other.
            tensor = waiting[0].open(wait=not opened)
        except NoRoomYet:
            break
        except BaseException as error:
            waiting.popleft().fail(error)
        else:
            opened.append((waiting.popleft(), tensor))
    return opened
