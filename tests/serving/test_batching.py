"""How many requests a runner takes at once, and in which order it works on them."""

from __future__ import annotations

import time
from itertools import groupby

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
