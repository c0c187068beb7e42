"""How much a process takes on at once, so that its memory has a bound whatever comes in."""

from __future__ import annotations

import threading

from paddle_portrait.serving.errors import Refusal


class Admission:
    """The bounded queue: requests that are being received, wait, or are worked on. For the event loop's thread.

    Args:
        max_pending: requests.
        max_bytes: their bodies together.
    """

    def __init__(self, max_pending: int, max_bytes: int) -> None:
        self._max_pending, self._max_bytes = max_pending, max_bytes
        self.pending = self.bytes = 0

    def take(self, size: int) -> Slot:
        """Return a place for a request whose body has at most ``size`` bytes.

        Raises:
            Refusal: 429, there is none.
        """
        if self.pending >= self._max_pending or self.bytes + size > self._max_bytes:
            raise Refusal(429, "busy", "the server has as many requests as it takes; try again soon.", 1)
        self.pending += 1
        self.bytes += size
        return Slot(self, size)

    def give_back(self, size: int) -> None:
        """End of a request."""
        self.pending -= 1
        self.bytes -= size


class Slot:
    """A place in the queue. It is free again when all who hold it have let go: a timed-out request's work goes on."""

    def __init__(self, admission: Admission, size: int) -> None:
        self._admission, self._size, self._holders = admission, size, 1

    def hold(self) -> None:
        """Keep the place until :meth:`release` is called once more."""
        self._holders += 1

    def release(self) -> None:
        """Let go."""
        self._holders -= 1
        if not self._holders:
            self._admission.give_back(self._size)


class PixelBudget:
    """Decoded pixels in memory. For threads that hold none while they wait for some.

    Args:
        most: pixels at once.
    """

    def __init__(self, most: int) -> None:
        self._most, self._freed = most, threading.Condition()
        self.used = 0

    def acquire(self, pixels: int, wait: bool) -> bool:
        """Take ``pixels``, which must not exceed the whole; returns whether there was room, for which it may wait."""
        with self._freed:
            if not wait and self.used + pixels > self._most:
                return False
            self._freed.wait_for(lambda: self.used + pixels <= self._most)
            self.used += pixels
            return True

    def release(self, pixels: int) -> None:
        """Give ``pixels`` back."""
        with self._freed:
            self.used -= pixels
            self._freed.notify_all()
