"""What travels through the pipeline: one picture of each stream at a time, with the sound that goes with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import av
import numpy as np

from paddle_portrait.video.frame import Frame
from paddle_portrait.video.reader import Item, VideoInfo

_SOUND_AT_ONCE = 64


class Source(Protocol):
    """Where pictures come from: a file, a network stream, a camera."""

    info: VideoInfo

    def __iter__(self) -> Iterator[Item]:
        """Yield pictures and packets of sound in their order."""
        ...

    def close(self) -> None:
        """Give the file or device back."""
        ...


@dataclass
class Job:
    """One picture and what becomes of it.

    Attributes:
        frame: as read, later as it is to be written.
        small_rgb: uint8 h×w×3, as large as the network sees it.
        person: float32 h×w, the network's answer to this very picture, then the filter's.
        begins: whether a scene begins here.
        due: whether the network is to see it.
    """

    frame: Frame
    small_rgb: np.ndarray | None = None
    person: np.ndarray | None = None
    begins: bool = False
    due: bool = True


@dataclass
class Round:
    """At most one picture of each stream, and the sound read before them."""

    jobs: list[Job] = field(default_factory=list)
    sound: list[tuple[int, av.Packet]] = field(default_factory=list)


def merge_rounds(older: Round, newer: Round) -> Round:
    """Return ``newer`` with the sound of both: what is left of a picture that nobody had time for."""
    return Round(newer.jobs, [*older.sound, *newer.sound])


def rounds_of(sources: Sequence[Source]) -> Iterator[Round]:
    """Yield rounds of the next picture of each source; a source that has ended drops out, the others go on."""
    running = [_grouped(source, number) for number, source in enumerate(sources)]
    while running:
        together = Round()
        for stream in list(running):
            part = next(stream, None)
            if part is None:
                running.remove(stream)
            else:
                together = Round([*together.jobs, *part.jobs], [*together.sound, *part.sound])
        if together.jobs or together.sound:
            yield together


def timed_rounds(sources: Sequence[Source]) -> Iterator[Round]:
    """Yield a round for every picture of the first source, with what the others show at that moment.

    When it has ended the next one sets the pace. Only the first source's sound comes along.
    """
    running = [_Showing(_grouped(source, number)) for number, source in enumerate(sources)]
    while running:
        part = running[0].following()
        if part is None:
            running.pop(0)
        elif part.jobs:
            now = part.jobs[0].frame.seconds
            others = [job for other in running[1:] if (job := other.at(now)) is not None]
            yield Round([*part.jobs, *others], part.sound)
        else:
            yield part


class _Showing:
    """A stream looked at from outside: which of its pictures is to be seen at a given time."""

    def __init__(self, rounds: Iterator[Round]) -> None:
        self._rounds = rounds
        self._shown: Job | None = None
        self._next: Job | None = None

    def following(self) -> Round | None:
        """Return the next picture, or sound of the first stream, or None at the end."""
        if self._next is not None:
            job, self._next = self._next, None
            return Round([job])
        part = next(self._rounds, None)
        if part is not None:
            part.sound = [entry for entry in part.sound if entry[0] == 0]
        return part

    def at(self, seconds: Fraction) -> Job | None:
        """Return the picture to be seen at ``seconds``; None before the first and after the end."""
        while self._next is None or self._next.frame.seconds <= seconds:
            if self._next is not None:
                self._shown, self._next = self._next, None
            part = next(self._rounds, None)
            if part is None:
                if self._shown is not None and self._shown.frame.seconds + self._shown.frame.duration <= seconds:
                    self._shown = None
                break
            if part.jobs:
                self._next = part.jobs[0]
        return None if self._shown is None else Job(self._shown.frame)


def _grouped(source: Iterable[Item], number: int) -> Iterator[Round]:
    """Yield each picture with the sound read before it."""
    sound: list[tuple[int, av.Packet]] = []
    for item in source:
        if isinstance(item, Frame):
            yield Round([Job(item)], sound)
            sound = []
        else:
            sound.append((number, item))
            if len(sound) >= _SOUND_AT_ONCE:
                yield Round([], sound)
                sound = []
    if sound:
        yield Round([], sound)
