"""A bounded queue between two threads that can be finished in order or abandoned at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

_Item = TypeVar("_Item")
_POLL_SECONDS = 0.2  # so that Ctrl-C is seen while waiting, on Windows too


class Abandoned(Exception):
    """The other side has given up; there is nothing more to do."""


class Channel(Generic[_Item]):
    """Items from one thread to another.

    Args:
        capacity: how many may wait.
        merge: what to do with a full channel in place of waiting: maps the newest one waiting and the new item to what
            takes their place. For sources that cannot wait.
    """

    def __init__(self, capacity: int, merge: Callable[[_Item, _Item], _Item] | None = None) -> None:
        self._items: deque[_Item] = deque()
        self._capacity, self._merge = capacity, merge
        self._finished = self._abandoned = False
        self._changed = threading.Condition()

    def put(self, item: _Item) -> None:
        """Add an item; waits while the channel is full.

        Raises:
            Abandoned: the channel was abandoned.
        """
        with self._changed:
            while len(self._items) >= self._capacity and not self._abandoned:
                if self._merge is not None:
                    item = self._merge(self._items.pop(), item)
                    break
                self._changed.wait(_POLL_SECONDS)
            if self._abandoned:
                raise Abandoned
            self._items.append(item)
            self._changed.notify_all()

    def __iter__(self) -> Iterator[_Item]:
        """Yield items as they come until the channel is finished and empty.

        Raises:
            Abandoned: the channel was abandoned.
        """
        while True:
            with self._changed:
                while not self._items and not self._finished and not self._abandoned:
                    self._changed.wait(_POLL_SECONDS)
                if self._abandoned:
                    raise Abandoned
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item

    def finish(self) -> None:
        """Nothing more will be put; what is waiting is still handed out."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Wake both sides with :class:`Abandoned`."""
        with self._changed:
            self._abandoned = True
            self._items.clear()
            self._changed.notify_all()
