"""Files in and out: times, sound, turns, transparency, damage, and what a kill leaves."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

av = pytest.importorskip("av", reason="videos need PyAV")

from paddle_portrait.errors import UserError  # noqa: E402
from paddle_portrait.video.frame import Frame  # noqa: E402
from paddle_portrait.video.outputs import open_file  # noqa: E402
from paddle_portrait.video.reader import VideoReader  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
UNEVEN = [3000, 1500, 6000, 2000, 9000, 1000, 3000, 4500, 2500, 30000] * 3
MILLISECOND = Fraction(1, 1000)


def copy(source: Path, target: Path, codec: str | None = None, most: int | None = None) -> VideoReader:
    """Copy a video, by our reader and writer; return the reader."""
    reader = VideoReader(source)
    writer = open_file(target, reader.info, codec, False, {})
    for count, item in enumerate(reader):
        if count == most:
            break
        writer.write(item)
    writer.close()
    reader.close()
    return reader


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv", "out.webm", "out.ts", "out.gif"])
@pytest.mark.parametrize("durations", [None, UNEVEN], ids=["constant rate", "variable rate"])
def test_as_many_frames_come_out_at_the_same_times(clips, tmp_path: Path, name: str, durations) -> None:
    source = clips.square(count=30, durations=durations, sound="aac")
    copy(source, tmp_path / name)
    before, after = clips.facts(source), clips.facts(tmp_path / name)
    # Matroska counts milliseconds and GIF hundredths; MPEG-TS and Matroska begin at a time of their own.
    step = {".mp4": Fraction(0), ".mov": Fraction(0), ".gif": 10 * MILLISECOND}.get(Path(name).suffix, MILLISECOND)
    shift = Fraction(0) if name in ("out.mp4", "out.mov") else after.times[0] - before.times[0]
    assert len(after.times) == 30
    assert max(abs(b + shift - a) for a, b in zip(after.times, before.times, strict=True)) <= step
    if name in ("out.mp4", "out.mov"):
        assert after.seconds == before.seconds
    if name in ("out.mp4", "out.mov", "out.mkv"):
        assert [sum_ for _, sum_ in after.sound] == [sum_ for _, sum_ in before.sound]
        assert abs((after.sound[0][0] - after.times[0]) - (before.sound[0][0] - before.times[0])) <= step


def test_a_recording_of_unknown_length_is_exact_too(clips, tmp_path: Path) -> None:
    source = clips.square(count=40, durations=(UNEVEN + UNEVEN)[:40], sound="aac")
    reader = VideoReader(source)
    writer = open_file(tmp_path / "out.mp4", replace(reader.info, frames=None), None, False, {})
    for item in reader:
        writer.write(item)
    writer.close()
    before, after = clips.facts(source), clips.facts(tmp_path / "out.mp4")
    assert (after.times, after.seconds, after.sound) == (before.times, before.seconds, before.sound)


def test_sound_that_a_container_cannot_hold_is_encoded_again_and_stays_in_step(clips, tmp_path: Path) -> None:
    source = clips.square(count=30, sound="aac")
    copy(source, tmp_path / "out.webm")
    with av.open(str(tmp_path / "out.webm")) as container:
        audio = container.streams.audio[0]
        assert audio.codec_context.codec.canonical_name == "opus"
        seconds = sum(frame.samples / frame.sample_rate for frame in container.decode(audio))
    assert seconds == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("name", "codec", "expected"),
    [("a.mp4", None, "h264"), ("b.mp4", "av1", "libdav1d"), ("c.webm", None, "vp9"), ("d.mov", "prores", "prores")],
)
def test_codecs(clips, tmp_path: Path, name: str, codec: str | None, expected: str) -> None:
    copy(clips.square(count=5), tmp_path / name, codec)
    after = clips.facts(tmp_path / name)
    assert (after.codec, len(after.times)) == (expected, 5)
    assert np.abs(after.pictures[2].astype(int) - clips.scene(2)).mean() < 4


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_turned_phone_video_comes_out_upright_as_another_program_shows_it(clips, tmp_path: Path, rotation) -> None:
    source = clips.square(count=3, rotation=rotation)
    copy(source, tmp_path / "out.mp4")
    shown = cv2.VideoCapture(str(source)).read()[1][..., ::-1]  # OpenCV applies the display matrix by itself
    after = clips.facts(tmp_path / "out.mp4")
    assert after.size_hw == shown.shape[:2]
    assert np.abs(after.pictures[0].astype(int) - shown).mean() < 4


def test_gif_in_keeps_its_times_and_odd_sizes_are_filled_up(clips, tmp_path: Path) -> None:
    source = tmp_path / "in.gif"
    pictures = [Image.fromarray(clips.scene(step, (97, 161))) for step in range(4)]
    pictures[0].save(source, save_all=True, append_images=pictures[1:], duration=[100, 300, 50, 200])
    copy(source, tmp_path / "out.mp4")
    after = clips.facts(tmp_path / "out.mp4")
    assert after.times == [Fraction(0), Fraction(1, 10), Fraction(4, 10), Fraction(45, 100)]
    assert after.size_hw == (98, 162)
    top, left = clips.square_at(3, (97, 161))
    assert np.abs(after.pictures[3][top + 16, left + 16].astype(int) - clips.red).max() < 12


@pytest.mark.parametrize("matrix", [1, 6])
@pytest.mark.parametrize("colour_range", [1, 2])
def test_colours_mean_the_same_before_and_after(clips, tmp_path: Path, matrix: int, colour_range: int) -> None:
    picture = av.VideoFrame.from_ndarray(clips.scene(0)).reformat(
        format="yuv420p", dst_colorspace=1 if matrix == 1 else 5, dst_color_range=colour_range
    )
    picture.colorspace, picture.color_range, picture.pts, picture.time_base = matrix, colour_range, 0, Fraction(1, 30)
    frame = Frame(picture)
    small = frame.small_rgb((96, 160))
    again = frame.with_rgb(frame.rgb())
    for seen in (small, again.rgb()):
        assert np.abs(seen[48, 16].astype(int) - clips.red).max() <= 4
        assert np.abs(seen[5, 5].astype(int) - clips.grey).max() <= 4
    assert again.colour == frame.colour


def test_damage_is_reported_and_as_many_frames_come_out(clips, tmp_path: Path, caplog) -> None:
    source = clips.square(count=60, sound="aac", size_hw=(192, 320))
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.pos]
    for place in places[10:40:7]:
        data[place + 6 : place + 26] = b"\xff" * 20
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data)
    with caplog.at_level("WARNING", "paddle_portrait"):
        reader = copy(broken, tmp_path / "out.mp4")
    assert reader.damaged > 0
    assert "broken.mp4" in caplog.text
    before, after = clips.facts(source), clips.facts(tmp_path / "out.mp4")
    assert len(after.times) == 60
    assert after.times == before.times
    assert [sum_ for _, sum_ in after.sound] == [sum_ for _, sum_ in before.sound]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "does not exist"), (b"", "no video"), (b"hello, this is text", "no video"), ("cut", "no video")],
)
def test_files_that_are_no_videos_are_refused_by_name(clips, tmp_path: Path, content, message: str) -> None:
    path = tmp_path / "wrong.mp4"
    if content == "cut":
        path.write_bytes(clips.square().read_bytes()[:-2000])
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as raised:
        VideoReader(path)
    assert "wrong.mp4" in str(raised.value) and "Errno" not in str(raised.value)


def test_a_file_of_sound_alone_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "tone.mp3"), "w") as container:
        stream = container.add_stream("libmp3lame", rate=44100, layout="mono")
        block = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), format="fltp", layout="mono")
        block.sample_rate = 44100
        container.mux([*stream.encode(block), *stream.encode(None)])
    with pytest.raises(UserError, match="no pictures"):
        VideoReader(tmp_path / "tone.mp3")


KILLED = """
import os, signal, sys
from paddle_portrait.video.outputs import open_file
from paddle_portrait.video.reader import VideoReader
reader = VideoReader(sys.argv[1])
writer = open_file(sys.argv[2], reader.info, None, False, {})
for count, item in enumerate(reader):
    writer.write(item)
    if count == 500:
        os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
"""


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_a_kill_leaves_a_playable_file(clips, tmp_path: Path, name: str) -> None:
    source = clips.square(count=300, sound="aac")
    done = subprocess.run([sys.executable, "-c", KILLED, source, tmp_path / name], cwd=ROOT, check=False)
    assert done.returncode != 0
    after = clips.facts(tmp_path / name)
    assert len(after.times) > 60  # the second that the muxer held, and what the encoder looks ahead, are lost
    assert len(after.sound) > 60


def test_frames_without_transparency_go_into_a_folder_with_their_times(clips, tmp_path: Path) -> None:
    copy(clips.square(count=3, durations=[3000, 9000, 9000]), tmp_path / "frames")
    listing = (tmp_path / "frames" / "frames.ffconcat").read_text()
    assert listing.split() == [
        *("ffconcat", "version", "1.0"),
        *("file", "000001.png", "duration", "0.033333"),
        *("file", "000002.png", "duration", "0.100000"),
        *("file", "000003.png", "duration", "0.100000"),
    ]
    with av.open(str(tmp_path / "frames" / "frames.ffconcat"), format="concat") as container:
        assert len(list(container.decode(video=0))) == 3


@pytest.mark.parametrize(
    ("name", "codec", "transparent", "options", "message"),
    [
        ("x.avi", None, False, {}, "x.avi.*mp4"),
        ("x.mp4", "h265", False, {}, "h265"),
        ("x.webm", "h264", False, {}, "vp9"),
        ("x.mp4", None, True, {}, "webm"),
        ("x.mp4", None, False, {"presto": "1"}, "presto"),
        ("x.mp4", None, False, {"preset": "hasty"}, "hasty"),
    ],
)
def test_outputs_that_cannot_be_are_refused(clips, tmp_path: Path, name, codec, transparent, options, message) -> None:
    reader = VideoReader(clips.square(count=2))
    with pytest.raises(UserError, match=message):
        open_file(tmp_path / name, reader.info, codec, transparent, options)


def test_a_place_that_cannot_be_written_is_named(clips, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    reader = VideoReader(clips.square(count=2))
    with pytest.raises(UserError, match=r"out\.mp4"):
        open_file(tmp_path / "file" / "out.mp4", reader.info, None, False, {})
    shutil.rmtree(tmp_path / "frames", ignore_errors=True)
    with pytest.raises(UserError, match="file"):
        open_file(tmp_path / "file" / "frames", reader.info, None, False, {})
