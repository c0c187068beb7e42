"""Decode, segment, composite, encode: a thread each, with short queues between, so that they work side by side."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from paddle_portrait.console import logger, track
from paddle_portrait.video.channel import Abandoned, Channel
from paddle_portrait.video.rounds import Round, merge_rounds

_WAITING = 4  # rounds between two threads: enough to smooth out key frames, too few to fill the memory


@dataclass
class StageTime:
    """What one step cost.

    Attributes:
        wall_seconds: from call to return, all calls together.
        cpu_seconds: of its own thread; threads inside a codec or a runtime are not seen.
        pictures: how many went through.
    """

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    pictures: int = 0

    def per_picture_ms(self) -> tuple[float, float]:
        """Return milliseconds a picture: wall and processor."""
        count = max(1, self.pictures)
        return 1000 * self.wall_seconds / count, 1000 * self.cpu_seconds / count


@dataclass
class PipelineReport:
    """What a run did.

    Attributes:
        pictures: how many were written.
        seconds: from start to end.
        interrupted: whether Ctrl-C ended it.
        stages: cost of each step, by name.
    """

    pictures: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    stages: dict[str, StageTime] = field(default_factory=dict)

    @property
    def fps(self) -> float:
        """Pictures a second."""
        return self.pictures / self.seconds if self.seconds else 0.0

    def table(self) -> str:
        """Return the cost of each step as lines of text."""
        lines = [f"{'stage':12} {'ms/frame':>9} {'CPU ms':>9}"]
        for name, stage in self.stages.items():
            wall, cpu = stage.per_picture_ms()
            lines.append(f"{name:12} {wall:9.2f} {cpu:9.2f}")
        return "\n".join([*lines, self.summary()])

    def summary(self) -> str:
        """Return the run in a line."""
        return f"{self.pictures} frames in {self.seconds:.1f} s: {self.fps:.1f} frames a second"


Step = Callable[[Round], Round]


@dataclass(frozen=True)
class Group:
    """What one thread does, or several that take turns.

    Attributes:
        steps: functions by name, called in order.
        workers: threads that work on different rounds at the same time; the order of the rounds stays.
    """

    steps: Mapping[str, Step]
    workers: int = 1


class Pipeline:
    """Runs rounds through steps.

    An error in any thread stops all of them and is raised by :meth:`run`. Ctrl-C stops the source; what is on its way
    is still finished.

    Args:
        rounds: the source.
        groups: the threads after it.
        live: the source does not wait: pictures that nobody has time for are dropped, never their sound.
    """

    def __init__(self, rounds: Iterable[Round], groups: Sequence[Group], live: bool = False) -> None:
        self.report = PipelineReport()
        self._rounds, self._groups = rounds, groups
        merge = merge_rounds if live else None
        self._channels: list[Channel[Round]] = [
            Channel(1 if live else _WAITING, merge),
            *(Channel[Round](_WAITING) for _ in groups),
        ]
        self._stopping = threading.Event()
        self._error: BaseException | None = None
        self._lock = threading.Lock()

    def run(self, description: str = "video", total: int | None = None) -> PipelineReport:
        """Run to the end of the source, under a progress bar.

        Raises:
            BaseException: whatever a thread raised first.
        """
        started = time.perf_counter()
        threads = [threading.Thread(target=self._guarded, args=(self._decode,), name="decode")]
        for number in range(len(self._groups)):
            threads.append(threading.Thread(target=self._guarded, args=(self._work, number), name=f"stage {number}"))
        for thread in threads:
            thread.start()
        try:
            self._watch(description, total)
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join()
            self.report.seconds = time.perf_counter() - started
        if self._error is not None:
            raise self._error
        return self.report

    def stop(self) -> None:
        """End the source; what is on its way is still finished."""
        self._stopping.set()

    def _watch(self, description: str, total: int | None) -> None:
        bar = track(self._finished_pictures(), description, total, unit="frame")
        while True:
            try:
                for _ in bar:
                    self.report.pictures += 1
                return
            except KeyboardInterrupt:
                if self.report.interrupted:  # asked for twice: do not even finish what is on its way
                    self._abandon(KeyboardInterrupt())
                    return
                logger.info("interrupted: finishing the file")
                self.report.interrupted = True
                self.stop()
                bar = self._finished_pictures()

    def _finished_pictures(self) -> Iterator[None]:
        try:
            for finished in self._channels[-1]:
                yield from (None for _ in finished.jobs)
        except Abandoned:
            return

    def _guarded(self, work: Callable[..., None], *arguments: int) -> None:
        try:
            work(*arguments)
        except Abandoned:
            pass
        except BaseException as error:  # a thread's error is raised where the pipeline is run
            self._abandon(error)

    def _abandon(self, error: BaseException) -> None:
        with self._lock:
            self._error = self._error or error
        self._stopping.set()
        for channel in self._channels:
            channel.abandon()

    def _decode(self) -> None:
        source = iter(self._rounds)
        while not self._stopping.is_set():
            with self._timed("decode") as spent:
                item = next(source, None)
                spent.pictures += len(item.jobs) if item else 0
            if item is None:
                break
            self._channels[0].put(item)
        self._channels[0].finish()

    def _work(self, number: int) -> None:
        group, target = self._groups[number], self._channels[number + 1]
        if group.workers == 1:
            for item in self._channels[number]:
                target.put(self._through(group, item))
        else:
            self._share_out(group, self._channels[number], target)
        target.finish()

    def _share_out(self, group: Group, source: Channel[Round], target: Channel[Round]) -> None:
        with ThreadPoolExecutor(group.workers) as pool:
            started: deque[Future[Round]] = deque()
            for item in source:
                started.append(pool.submit(self._through, group, item))
                if len(started) > group.workers:
                    target.put(started.popleft().result())
            for future in started:
                target.put(future.result())

    def _through(self, group: Group, item: Round) -> Round:
        for name, step in group.steps.items():
            with self._timed(name) as spent:
                item = step(item)
                spent.pictures += len(item.jobs)
        return item

    def _timed(self, name: str) -> _Timed:
        return _Timed(self.report.stages.setdefault(name, StageTime()), self._lock)


class _Timed:
    """Adds what happens inside ``with``, and the pictures counted there, to a stage that several threads may share."""

    def __init__(self, stage: StageTime, lock: threading.Lock) -> None:
        self._stage, self._lock = stage, lock

    def __enter__(self) -> StageTime:
        self._wall, self._cpu = time.perf_counter(), time.thread_time()
        self._spent = StageTime()
        return self._spent

    def __exit__(self, *_: object) -> None:
        wall, cpu = time.perf_counter() - self._wall, time.thread_time() - self._cpu
        with self._lock:
            self._stage.wall_seconds += wall
            self._stage.cpu_seconds += cpu
            self._stage.pictures += self._spent.pictures
