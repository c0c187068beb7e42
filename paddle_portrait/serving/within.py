"""A bound of time for what a task awaits, without a second task for it."""

from __future__ import annotations

import asyncio
import sys
from types import TracebackType


class Within:
    """``with Within(seconds):`` around awaits of a task; ``asyncio.timeout``, which Python 3.10 lacks.

    ``asyncio.wait_for`` makes a task of its own up to Python 3.11, which costs a request more than receiving it does.

    Args:
        seconds: after which the block is left with ``TimeoutError``.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._over = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._end)

    def _end(self) -> None:
        # The task is inside the block, waiting: had it left, the timer would have been cancelled.
        self._over = True
        self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._timer.cancel()
        if self._over and kind is not None and issubclass(kind, asyncio.CancelledError):
            if sys.version_info >= (3, 11):  # which counts cancellations
                self._task.uncancel()
            raise TimeoutError from error
