"""How many requests a runner takes at once, and in which order it works on them."""

from __future__ import annotations

import threading
import time
from itertools import groupby, pairwise

import numpy as np
import pytest

from paddle_portrait.serving.batching import Batcher


class Note:
    """A request that notes what is done with it."""

    def __init__(self, steps: list[str], number: int) -> None:
        self.arrived = time.monotonic()
        self.answer: float | BaseException | None = None
        self._steps, self._number = steps, number

    def open(self, wait: bool) -> np.ndarray:
        self._steps.append("open")
        return np.full((1, 1, 1, 1), self._number, np.float32)

    def close(self, person: np.ndarray) -> None:
        self._steps.append("close")
        self.answer = float(person[0, 0])

    def fail(self, error: BaseException) -> None:
        self.answer = error


def serve(count: int, seconds: float, broken: int = -1) -> tuple[list[Note], list[int]]:
    """Send requests to one runner; return them, and how many each turn has opened."""
    steps: list[str] = []

    def run(tensor: np.ndarray) -> np.ndarray:
        assert len(tensor) == 1
        time.sleep(seconds)
        if tensor[0, 0, 0, 0] == broken:
            raise RuntimeError("broken")
        return tensor[:, 0]

    batcher = Batcher(run, 1, 0.0, 1, lambda size, seconds: None)
    tasks = [Note(steps, number) for number in range(count)]
    for task in tasks:
        batcher.submit(task)
    batcher.close()
    return tasks, [len(list(group)) for step, group in groupby(steps) if step == "open"]


def test_quick_requests_are_worked_on_a_few_in_turn_and_keep_their_answers() -> None:
    tasks, opened = serve(3000, 0.0)
    assert [task.answer for task in tasks] == list(range(3000))
    assert 1 < max(opened) <= 4


def test_slow_requests_do_not_wait_for_each_other() -> None:
    tasks, opened = serve(6, 0.03)
    assert [task.answer for task in tasks] == list(range(6))
    assert opened == [1] * 6


def test_a_run_that_fails_takes_none_of_its_neighbours_with_it() -> None:
    tasks, _ = serve(3000, 0.0, broken=1500)
    with pytest.raises(RuntimeError, match="broken"):
        raise tasks[1500].answer  # type: ignore[misc]
    assert [task.answer for task in tasks if task is not tasks[1500]] == [n for n in range(3000) if n != 1500]


class Slow(Note):
    """A request that takes its time to be opened, or none, as it is refused."""

    def __init__(self, steps: list[str], number: int, seconds: float | None) -> None:
        super().__init__(steps, number)
        self._seconds = seconds

    def open(self, wait: bool) -> np.ndarray:
        if self._seconds is None:
            raise ValueError("refused")
        time.sleep(self._seconds)
        tensor = super().open(wait)
        self._steps[-1] = "slow" if self._seconds else "open"
        return tensor


@pytest.mark.parametrize("before", [None, 0.0])
def test_slow_requests_behind_quick_or_refused_ones_do_not_wait_for_each_other(before: float | None) -> None:
    steps: list[str] = []
    all_wait = threading.Event()

    def run(tensor: np.ndarray) -> np.ndarray:
        all_wait.wait()
        return tensor[:, 0]

    batcher = Batcher(run, 1, 0.0, 1, lambda size, seconds: None)
    for number, seconds in enumerate([0.0, *[before] * 8, *[0.03] * 4]):
        batcher.submit(Slow(steps, number, seconds))
    all_wait.set()
    batcher.close()
    assert steps.count("slow") == 4
    assert ("slow", "slow") not in pairwise(steps)
