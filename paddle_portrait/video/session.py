"""A whole job: inputs, one model, an effect, outputs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2

from paddle_portrait.effects import Effect, Refiner
from paddle_portrait.effects.background import FitMode
from paddle_portrait.errors import UserError
from paddle_portrait.inference import Predictor
from paddle_portrait.video.backgrounds import Background, open_background
from paddle_portrait.video.camera import CameraReader
from paddle_portrait.video.compositing import make_compositor
from paddle_portrait.video.masking import LateMasks, PersonMasks
from paddle_portrait.video.outputs import Tee, VirtualCamera, open_file, open_stream
from paddle_portrait.video.pipeline import Group, Pipeline, PipelineReport, Step
from paddle_portrait.video.reader import VideoInfo, VideoReader
from paddle_portrait.video.rounds import Round, Source, rounds_of, timed_rounds
from paddle_portrait.video.smoothing import FILTERS, TemporalFilter
from paddle_portrait.video.smoothing.steady import check_every
from paddle_portrait.video.tiling import Tiler
from paddle_portrait.video.writer import Writer

_URL = "://"
OpenOutput = Callable[[VideoInfo], Writer]


@dataclass
class VideoJob:
    """What is to be done.

    Attributes:
        predictor: the model.
        effect: what is drawn.
        videos: files or URLs.
        cameras: numbers of cameras.
        background: picture or video behind the person, for effects that need one.
        outputs: a file for each input (one, when tiled); None where there is none.
        streams: URLs for the same pictures; of one input only, or tiled.
        virtual_camera: show them as a camera, too.
        tile: all inputs in one picture.
        refiners: applied at the size of the network.
        smoothing: name of a temporal filter, and its options.
        every: the network sees each ``every``-th frame; between, masks are carried along by optical flow.
        hard: cut masks at one half.
        low_latency: draw frames at once, with the last mask that is ready.
        codec: of the files; None: by their suffix.
        encoder_options: of the files' encoder.
        extra_outputs: made for every written stream, beside the others: a preview, for one.
    """

    predictor: Predictor
    effect: Effect
    videos: Sequence[str] = ()
    cameras: Sequence[int] = ()
    background: str | None = None
    outputs: Sequence[Path] = ()
    streams: Sequence[str] = ()
    virtual_camera: bool = False
    tile: bool = False
    refiners: Sequence[Refiner] = ()
    smoothing: str = "none"
    smoothing_options: Mapping[str, Any] = field(default_factory=dict)
    every: int = 1
    hard: bool = False
    low_latency: bool = False
    codec: str | None = None
    encoder_options: Mapping[str, str] = field(default_factory=dict)
    extra_outputs: Sequence[OpenOutput] = ()


class VideoSession:
    """A job on its way; :meth:`run` does it.

    Attributes:
        compositor: draws every frame; another one may be put in its place while the session runs.
        masks: finds the person; filter, refiners and how many frames are left out may be changed while it runs.
        pipeline: :meth:`Pipeline.stop` ends it early.

    Raises:
        UserError: an input cannot be read, an output cannot be written, or the job contradicts itself.
    """

    def __init__(self, job: VideoJob) -> None:
        self._job = job
        self._closing = ExitStack()
        try:
            self._set_up()
        except BaseException:
            self._closing.close()
            raise

    def run(self) -> PipelineReport:
        """Do the job; every output is closed whatever happens.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed; the outputs are finished.
        """
        frames = [source.info.frames for source in self._sources]
        total = None if None in frames else (frames[0] if self._job.tile else sum(filter(None, frames)))
        try:
            with _one_thread_in_opencv():
                report = self.pipeline.run(total=total)
        except BaseException:
            with suppress(Exception):  # what went wrong first is what the user is to hear
                self._closing.close()
            raise
        self._closing.close()
        if report.interrupted:
            raise KeyboardInterrupt
        return report

    def _set_up(self) -> None:
        job = self._job
        self._sources = self._open_sources()
        infos = [source.info for source in self._sources]
        self.compositor = make_compositor(job.effect, job.hard)
        self._backgrounds: dict[int, Background] = {}
        self._open_backgrounds()
        self.masks = PersonMasks(job.predictor, self._make_filter, job.refiners, check_every(job.every))
        self._make_filter()  # a wrong name or option is an error now, not in a thread
        tiler = Tiler(infos) if job.tile else None
        self._writers = self._open_writers([tiler.info] if tiler else infos)
        drawing: dict[str, Step] = {"smooth": self.masks.smooth, "composite": self._composite}
        if tiler:
            drawing["tile"] = tiler
        self.pipeline = Pipeline(
            (timed_rounds if job.tile else rounds_of)(self._sources),
            [*self._finding(), Group(drawing), Group({"encode": self._encode})],
            live=any(info.live for info in infos),
        )

    def _finding(self) -> list[Group]:
        """Return the threads from frames to the network's answers.

        Frames go through the network two at a time, unless its answer depends on the one before. Watching for cuts and
        counting frames need them in their order, so that they get a thread of their own, where anybody asks.
        """
        job, masks = self._job, self.masks
        if job.low_latency and job.every > 1:
            raise UserError("--every and --low_latency are two ways to spare the network; choose one of them.")
        plain = job.smoothing == "none" and job.every == 1 and not job.extra_outputs
        resize: dict[str, Step] = {"resize": masks.shrink}
        watch: dict[str, Step] = {**resize, "watch": masks.watch}
        if job.predictor.takes_prior or job.low_latency:
            return [Group({**watch, "infer": LateMasks(masks.infer) if job.low_latency else masks.infer})]
        callers = min(2, os.cpu_count() or 1)
        if plain:
            return [Group({**resize, "infer": masks.infer}, callers)]
        return [Group(watch), Group({"infer": masks.infer}, callers)]

    def _open_sources(self) -> list[Source]:
        sources: list[Source] = []
        for name in self._job.videos:
            sources.append(VideoReader(name, stream=len(sources)))
            self._closing.callback(sources[-1].close)
        for camera in self._job.cameras:
            sources.append(CameraReader(camera, len(sources)))
            self._closing.callback(sources[-1].close)
        return sources

    def _open_backgrounds(self) -> None:
        """Open one for each stream: each has its own clock."""
        job = self._job
        if not job.effect.kind.needs_background:
            return
        if job.background is None:
            raise UserError(f"effect '{job.effect.name}' needs a background: --bg_img_path or --bg_video_path.")
        self.use_background(job.background, job.effect.options["fit"])

    def _open_writers(self, infos: Sequence[VideoInfo]) -> list[Writer]:
        job = self._job
        if len(infos) > 1 and (job.streams or job.virtual_camera):
            raise UserError("several inputs cannot go into one stream or camera; tile them into one picture: --tile.")
        transparent = job.effect.kind.channels == 4
        if transparent and (job.streams or job.tile or job.virtual_camera):
            raise UserError("streams, tiles and cameras hold no transparency; choose another effect than 'cutout'.")
        writers: list[Writer] = []
        for number, info in enumerate(infos):
            parts: list[Writer] = []
            if job.outputs:
                parts.append(open_file(job.outputs[number], info, job.codec, transparent, job.encoder_options))
                self._closing.callback(parts[-1].close)
            for url in job.streams:
                parts.append(open_stream(url, info, job.encoder_options))
                self._closing.callback(parts[-1].close)
            writers.append(Tee(parts + self._others(info)))
        return writers

    def use_background(self, path: str, fit: FitMode) -> None:
        """Put another picture or video behind the person, in every stream.

        Raises:
            UserError: it cannot be read.
        """
        self._backgrounds = {number: open_background(path, fit) for number in range(len(self._sources))}

    def _others(self, info: VideoInfo) -> list[Writer]:
        openers = [*([VirtualCamera] if self._job.virtual_camera else []), *self._job.extra_outputs]
        opened = []
        for opener in openers:
            opened.append(opener(info))
            self._closing.callback(opened[-1].close)
        return opened

    def _make_filter(self) -> TemporalFilter:
        return FILTERS.build(self._job.smoothing, **self._job.smoothing_options)

    def _composite(self, work: Round) -> Round:
        for job in work.jobs:
            job.frame = self.compositor(job, self._backgrounds.get(job.frame.stream))
        return work

    def _encode(self, work: Round) -> Round:
        for stream, packet in work.sound:
            self._writers[stream].write(packet)
        for job in work.jobs:
            self._writers[job.frame.stream].write(job.frame)
        return work


@contextmanager
def _one_thread_in_opencv() -> Iterator[None]:
    """Let OpenCV use the calling thread alone: the steps keep the cores busy, and its own threads get in their way.

    The number belongs to the process, hence it is put back.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def name_outputs(job: VideoJob, given: Sequence[str], save_dir: Path) -> list[Path]:
    """Return the file of each result: as given, or in ``save_dir`` by the name of the input.

    Where nothing is given and the pictures go into a stream or camera, there is no file.

    Raises:
        UserError: not as many files as results, or a result would overwrite an input.
    """
    inputs = [*job.videos, *(f"camera{number}" for number in job.cameras)]
    count = 1 if job.tile else len(inputs)
    if given and len(given) != count:
        raise UserError(f"{len(given)} times --output for {count} results; give one for each.")
    if not given and (job.streams or job.virtual_camera):
        return []
    suffix = ".webm" if job.effect.kind.channels == 4 else ".mp4"
    stems = ["tiled"] if job.tile else [_stem(name) for name in inputs]
    unique = [stem if stems.count(stem) == 1 else f"{stem}_{number}" for number, stem in enumerate(stems)]
    outputs = [Path(name) for name in given] or [save_dir / f"{stem}{suffix}" for stem in unique]
    taken = {Path(name).resolve() for name in (*job.videos, job.background or "") if name and _URL not in name}
    for output in outputs:
        if output.resolve() in taken:
            raise UserError(f"{output} is an input; name another file with --output or another --save_dir.")
    return outputs


def _stem(name: str) -> str:
    return Path(name.split("?", 1)[0]).stem.replace("%", "") or "video"
