"""From frames to person probabilities: one model for all streams, a memory and a filter for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np

from paddle_portrait.effects import Refiner
from paddle_portrait.inference import Predictor
from paddle_portrait.inference.stream import PredictorStream
from paddle_portrait.video.rounds import Job, Round
from paddle_portrait.video.smoothing import TemporalFilter


class PersonMasks:
    """The steps of the pipeline that find the person.

    Args:
        predictor: the model, shared by all streams.
        make_filter: makes the temporal filter of a stream.
        refiners: applied to the filtered probability, at the size at which the network sees the frame.
    """

    def __init__(
        self, predictor: Predictor, make_filter: Callable[[], TemporalFilter], refiners: Sequence[Refiner] = ()
    ) -> None:
        self._predictor, self._make_filter, self._refiners = predictor, make_filter, refiners
        self._memories: dict[int, PredictorStream] = {}
        self._filters: dict[int, TemporalFilter] = {}

    def shrink(self, work: Round) -> Round:
        """Bring each frame to the size at which the network sees it."""
        for job in work.jobs:
            job.small_rgb = job.frame.small_rgb(self._predictor.seen_hw(job.frame.size_hw))
        return work

    def infer(self, work: Round) -> Round:
        """Run the network: on all frames of a round at once, unless it needs its last answer to each stream."""
        frames = [_small(job) for job in work.jobs]
        if self._predictor.takes_prior:
            persons = [self._memory(job.frame.stream)(frame) for job, frame in zip(work.jobs, frames, strict=True)]
        else:
            persons = self._predictor.batch(frames) if frames else []
        for job, person in zip(work.jobs, persons, strict=True):
            job.person = person
        return work

    def smooth(self, work: Round) -> Round:
        """Steady each mask by its stream's filter, then refine it."""
        for job in work.jobs:
            stream = job.frame.stream
            if stream not in self._filters:
                self._filters[stream] = self._make_filter()
            assert job.person is not None
            person = self._filters[stream](_small(job), job.person)
            for refine in self._refiners:
                person = refine(_small(job), person)
            job.person = person
        return work

    def _memory(self, stream: int) -> PredictorStream:
        if stream not in self._memories:
            self._memories[stream] = self._predictor.stream()
        return self._memories[stream]


class LateMasks:
    """Low latency at the price of lag: a frame is drawn at once, with the last mask that is ready.

    The network runs beside the pictures, on the newest frame whenever it is free.

    Args:
        infer: fills in the masks of a round.
    """

    def __init__(self, infer: Callable[[Round], Round]) -> None:
        self._infer = infer
        self._last: dict[int, Job] = {}
        self._worker: threading.Thread | None = None
        self._error: BaseException | None = None

    def __call__(self, work: Round) -> Round:
        """Give each frame the last mask of its stream; the first frames wait for theirs."""
        if self._error is not None:
            raise self._error
        if any(job.frame.stream not in self._last for job in work.jobs):
            self._finish()
            self._run(Round([Job(job.frame, job.small_rgb) for job in work.jobs]))
        elif self._worker is None or not self._worker.is_alive():
            newest = Round([Job(job.frame, job.small_rgb) for job in work.jobs])
            self._worker = threading.Thread(target=self._run_guarded, args=(newest,), daemon=True)
            self._worker.start()
        for job in work.jobs:
            job.person = self._last[job.frame.stream].person
        return work

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
