"""The pipeline: errors, Ctrl-C, bounded queues, and masks that belong to their frames."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

av = pytest.importorskip("av", reason="videos need PyAV")

from paddle_portrait.effects import build_effect  # noqa: E402
from paddle_portrait.errors import UserError  # noqa: E402
from paddle_portrait.inference import Predictor  # noqa: E402
from paddle_portrait.video.channel import Abandoned, Channel  # noqa: E402
from paddle_portrait.video.pipeline import Group, Pipeline  # noqa: E402
from paddle_portrait.video.rounds import Job, Round, merge_rounds  # noqa: E402
from paddle_portrait.video.session import VideoJob, VideoSession  # noqa: E402
from paddle_portrait.video.smoothing import FILTERS  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


def rounds(count: int) -> Iterator[Round]:
    """Yield rounds of one job that carries its number in place of a frame."""
    for number in range(count):
        yield Round([Job(number)])  # type: ignore[arg-type]


def same(work: Round) -> Round:
    """Do nothing."""
    return work


def numbers(works: list[Round]) -> list[int]:
    """Return what the rounds carry."""
    return [job.frame for work in works for job in work.jobs]


@pytest.mark.parametrize("workers", [1, 3])
def test_rounds_arrive_in_order_and_every_step_is_timed(workers: int) -> None:
    seen: list[Round] = []
    steps = [Group({"one": same, "two": same}, workers), Group({"three": lambda work: seen.append(work) or work})]
    report = Pipeline(rounds(50), steps).run()
    assert numbers(seen) == list(range(50))
    assert report.pictures == 50
    assert list(report.stages) == ["decode", "one", "two", "three"]
    assert all(stage.pictures == 50 for stage in report.stages.values())


@pytest.mark.parametrize("where", ["decode", "first", "second", "last"])
def test_an_error_anywhere_stops_everything_and_is_raised(where: str) -> None:
    def failing(work: Round) -> Round:
        if work.jobs[0].frame == 10:
            raise UserError(f"broken in {where}")
        return work

    def source() -> Iterator[Round]:
        for work in rounds(10**9):
            yield failing(work) if where == "decode" else work

    steps = {name: failing if name == where else same for name in ("first", "second", "last")}
    groups = [Group({name: step}, 2 if name == "second" else 1) for name, step in steps.items()]
    before = threading.active_count()
    with pytest.raises(UserError, match=f"broken in {where}"):
        Pipeline(source(), groups).run()
    assert threading.active_count() == before


def test_a_fast_source_waits_for_a_slow_sink() -> None:
    made, done, ahead = 0, 0, []

    def source() -> Iterator[Round]:
        nonlocal made
        for work in rounds(60):
            made += 1
            yield work

    def slow(work: Round) -> Round:
        nonlocal done
        time.sleep(0.002)
        done += 1
        ahead.append(made - done)
        return work

    Pipeline(source(), [Group({"quick": same}, 2), Group({"slow": slow})]).run()
    assert done == 60
    assert max(ahead) < 20


def test_a_live_source_drops_pictures_but_no_sound() -> None:
    written: list[Round] = []
    late = threading.Event()

    def source() -> Iterator[Round]:
        for number in range(200):
            yield Round([Job(number)], [(0, number)])  # type: ignore[arg-type, list-item]
        late.set()

    def slow(work: Round) -> Round:
        late.wait(5)
        written.append(work)
        return work

    Pipeline(source(), [Group({"slow": slow})], live=True).run()
    shown = numbers(written)
    assert len(shown) < 20
    assert shown[-1] == 199
    assert [packet for work in written for _, packet in work.sound] == list(range(200))


def test_channel_hands_out_what_waits_and_then_ends() -> None:
    channel: Channel[int] = Channel(3)
    for item in (1, 2, 3):
        channel.put(item)
    channel.finish()
    assert list(channel) == [1, 2, 3]
    channel.abandon()
    with pytest.raises(Abandoned):
        channel.put(4)
    merged = merge_rounds(Round([Job(1)], [(0, "a")]), Round([Job(2)], [(0, "b")]))  # type: ignore[arg-type, list-item]
    assert (numbers([merged]), [sound for _, sound in merged.sound]) == ([2], ["a", "b"])


def run_job(network: Path, source: Path, output: Path, **options) -> None:
    """Put green behind the square."""
    effect = build_effect("color", color="20,200,30")
    VideoSession(VideoJob(Predictor.load(network, threads=1), effect, [str(source)], outputs=[output], **options)).run()


def test_opencv_has_its_threads_again_and_pictures_are_not_cut_into_slices(clips, red_network: Path) -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        run_job(red_network, clips.square(count=4), clips.folder / "out.mp4")
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)
    assert b"sliced_threads=0" in (clips.folder / "out.mp4").read_bytes()  # x264 writes its settings into the file


def lags(clips, path: Path) -> list[int]:
    """Return for each frame by how many frames its mask is late: how far what is shown is from the square."""
    found = []
    for step, picture in enumerate(clips.facts(path).pictures):
        not_green = np.abs(picture.astype(int) - clips.green).sum(axis=2) > 120
        left = np.flatnonzero(not_green.any(axis=0))
        found.append(abs(int(left.min()) - clips.square_at(step)[1]) // 8 if left.size else 99)
    return found


def test_a_mask_is_never_drawn_on_another_frame(clips, red_network: Path) -> None:
    source = clips.square(count=16)
    run_job(red_network, source, clips.folder / "out.mp4")
    assert lags(clips, clips.folder / "out.mp4") == [0] * 16


def test_low_latency_is_asked_for_by_name_and_only_then_masks_are_late(clips, red_network: Path) -> None:
    predictor = Predictor.load(red_network, threads=1)
    quick = predictor.batch

    def slow(images):
        time.sleep(0.05)
        return quick(images)

    predictor.batch = slow  # type: ignore[method-assign]
    job = VideoJob(predictor, build_effect("color", color="20,200,30"), [str(clips.square(count=16))])
    job.outputs, job.low_latency = [clips.folder / "out.mp4"], True
    VideoSession(job).run()
    late = lags(clips, clips.folder / "out.mp4")
    assert len(late) == 16
    assert late[0] == 0
    assert max(late) > 0


def test_a_filter_sees_each_stream_apart_and_a_wrong_name_is_refused(clips, red_network: Path) -> None:
    made = []

    class Counting:
        def __init__(self) -> None:
            self.frames: list[tuple] = []
            made.append(self)

        def __call__(self, frame_rgb: np.ndarray, person_prob: np.ndarray) -> np.ndarray:
            self.frames.append((frame_rgb.shape, frame_rgb.dtype, person_prob.shape, person_prob.dtype))
            return person_prob

        def reset(self) -> None: ...

    FILTERS.register("counting")(Counting)
    try:
        sources = [str(clips.square(f"{number}.mp4", count=6)) for number in range(2)]
        job = VideoJob(Predictor.load(red_network), build_effect("color"), sources, smoothing="counting")
        job.outputs = [clips.folder / f"out{number}.mp4" for number in range(2)]
        VideoSession(job).run()
    finally:
        del FILTERS._factories["counting"]
    used = [filter_.frames for filter_ in made if filter_.frames]
    assert used == [[((48, 80, 3), np.uint8, (48, 80), np.float32)] * 6] * 2
    job.smoothing = "no_such"
    with pytest.raises(UserError, match="no_such"):
        VideoSession(job)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX")
def test_ctrl_c_finishes_the_file(clips, red_network: Path) -> None:
    source = clips.square(count=5000, sound="aac")
    command = [sys.executable, "tools/bg_replace.py", "--model", str(red_network), "--video_path", str(source)]
    output = clips.folder / "out.mp4"
    command += ["--output", str(output), "--encoder_options", "preset=placebo"]  # else it is done before the key
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while (not output.exists() or output.stat().st_size < 5000) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    errors = running.communicate(timeout=60)[1]
    assert running.returncode == 130, errors
    assert "Traceback" not in errors
    after = clips.facts(output)
    assert 20 < len(after.times) < 5000
    assert after.times == [Fraction(3000 * number, 90000) for number in range(len(after.times))]
    assert after.seconds > 0  # the end was written: a plain file, not fragments
