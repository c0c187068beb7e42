"""From frames to person probabilities: one model for all streams, a memory and a filter for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np

from paddle_portrait.inference import Predictor
from paddle_portrait.inference.stream import PredictorStream
from paddle_portrait.video.rounds import Job, Round
from paddle_portrait.video.smoothing import TemporalFilter
from paddle_portrait.video.smoothing.steady import SceneWatch, Steadier

Refine = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From the small frame and its probability to a better one: a ``Refiner``, for one."""


class PersonMasks:
    """The steps of the pipeline that find the person.

    Args:
        predictor: the model, shared by all streams.
        make_filter: makes the temporal filter of a stream.
        refiners: applied to the filtered probability, at the size at which the network sees the frame.
        every: the network sees each ``every``-th frame; between, masks are carried along by optical flow.

    Attributes:
        refiners: may be replaced while frames go through.
        every: the same.
    """

    def __init__(
        self,
        predictor: Predictor,
        make_filter: Callable[[], TemporalFilter],
        refiners: Sequence[Refine] = (),
        every: int = 1,
    ) -> None:
        self._predictor, self._make_filter = predictor, make_filter
        self.refiners, self.every = refiners, every
        self._memories: dict[int, PredictorStream] = {}
        self._scenes: dict[int, SceneWatch] = {}
        self._steadiers: dict[int, Steadier] = {}

    def use_filter(self, make_filter: Callable[[], TemporalFilter]) -> None:
        """Let other filters take over, from the next frame of each stream on."""
        self._make_filter = make_filter
        for steadier in list(self._steadiers.values()):
            steadier.smooth = make_filter()

    def shrink(self, work: Round) -> Round:
        """Bring each frame to the size at which the network sees it."""
        for job in work.jobs:
            job.small_rgb = job.frame.small_rgb(self._predictor.seen_hw(job.frame.size_hw))
        return work

    def watch(self, work: Round) -> Round:
        """Mark where scenes begin and what the network is to see; frames must come in their order."""
        for job in work.jobs:
            scene = self._scenes.setdefault(job.frame.stream, SceneWatch())
            scene.every = self.every
            job.begins, job.due = scene(_small(job))
        return work

    def infer(self, work: Round) -> Round:
        """Run the network: on all frames of a round at once, unless it needs its last answer to each stream."""
        due = [job for job in work.jobs if job.due]
        if self._predictor.takes_prior:
            persons = [self._remembering(job) for job in due]
        else:
            persons = self._predictor.batch([_small(job) for job in due]) if due else []
        for job, person in zip(due, persons, strict=True):
            job.person = person
        return work

    def smooth(self, work: Round) -> Round:
        """Steady each mask by its stream's filter, then refine it."""
        for job in work.jobs:
            stream = job.frame.stream
            if stream not in self._steadiers:
                self._steadiers[stream] = Steadier(self._make_filter())
            person = self._steadiers[stream](_small(job), job.person, job.begins)
            for refine in self.refiners:
                person = refine(_small(job), person)
            job.person = person
        return work

    def _remembering(self, job: Job) -> np.ndarray:
        """Run a network that is fed with its last answer to the same scene."""
        memory = self._memories.setdefault(job.frame.stream, self._predictor.stream())
        if job.begins:
            memory.reset()
        return memory(_small(job))


class LateMasks:
    """Low latency at the price of lag: a frame is drawn at once, with the last mask that is ready.

    The network runs beside the pictures, on the newest frame whenever it is free.

    Args:
        infer: fills in the masks of a round.
    """

    def __init__(self, infer: Callable[[Round], Round]) -> None:
        self._infer = infer
        self._last: dict[int, Job] = {}
        self._begun: set[int] = set()
        self._worker: threading.Thread | None = None
        self._error: BaseException | None = None

    def __call__(self, work: Round) -> Round:
        """Give each frame the last mask of its stream; the first frames wait for theirs."""
        if self._error is not None:
            raise self._error
        self._begun |= {job.frame.stream for job in work.jobs if job.begins}
        if any(job.frame.stream not in self._last for job in work.jobs):
            self._finish()
            self._run(self._copy(work))
        elif self._worker is None or not self._worker.is_alive():
            newest = self._copy(work)
            self._worker = threading.Thread(target=self._run_guarded, args=(newest,), daemon=True)
            self._worker.start()
        for job in work.jobs:
            job.person = self._last[job.frame.stream].person
        return work

    def _copy(self, work: Round) -> Round:
        """Return the same frames without masks, and note where a scene has begun since the last copy."""
        begun, self._begun = self._begun, set()
        return Round([Job(job.frame, job.small_rgb, begins=job.frame.stream in begun) for job in work.jobs])

    def _run(self, work: Round) -> None:
        for job in self._infer(work).jobs:
            self._last[job.frame.stream] = job

    def _run_guarded(self, work: Round) -> None:
        try:
            self._run(work)
        except BaseException as error:  # raised by the next call, in the thread of the pipeline
            self._error = error

    def _finish(self) -> None:
        if self._worker is not None:
            self._worker.join()


def _small(job: Job) -> np.ndarray:
    assert job.small_rgb is not None
    return job.small_rgb
