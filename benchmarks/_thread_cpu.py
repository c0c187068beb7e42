"""Processor time of the threads that codecs make for themselves, which Python does not see. Linux only."""

from __future__ import annotations

import threading
from pathlib import Path

_TASKS = Path("/proc/self/task")
_EVERY_SECONDS = 0.1
_DECODER = "av:"  # FFmpeg names the threads of its decoders so; x264 names none of its own


class CodecThreads:
    """Watches the threads that appear while an input and an output are opened, until they end with them.

    ::

        watched = CodecThreads()
        session = VideoSession(job)
        with watched:
            session.run()

    Attributes:
        decoder_seconds: processor time of the decoder's threads.
        encoder_seconds: of the encoder's; what they do in the last tenth of a second is not seen.
    """

    def __init__(self) -> None:
        self._before = set(_tasks())
        self._names: dict[int, str] = {}
        self._seconds: dict[int, float] = {}
        self._ending = threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    def __enter__(self) -> None:
        for task in set(_tasks()) - self._before:
            self._names[task] = (_TASKS / str(task) / "comm").read_text().strip()
        self._watcher.start()

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._watcher.join()

    @property
    def decoder_seconds(self) -> float:
        return sum(s for task, s in self._seconds.items() if self._names[task].startswith(_DECODER))

    @property
    def encoder_seconds(self) -> float:
        return sum(s for task, s in self._seconds.items() if not self._names[task].startswith(_DECODER))

    def _watch(self) -> None:
        while not self._ending.wait(_EVERY_SECONDS):
            for task in self._names:
                try:
                    nanoseconds = (_TASKS / str(task) / "schedstat").read_text().split()[0]
                except OSError:  # it has ended
                    continue
                self._seconds[task] = int(nanoseconds) / 1e9


def _tasks() -> list[int]:
    return [int(path.name) for path in _TASKS.iterdir()] if _TASKS.is_dir() else []
