"""What is drawn: planes against RGB, backgrounds that loop, transparency, tiles."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

av = pytest.importorskip("av", reason="videos need PyAV")

from paddle_portrait.effects import build_effect  # noqa: E402
from paddle_portrait.inference import Predictor  # noqa: E402
from paddle_portrait.video.backgrounds import StillBackground, VideoBackground, open_background  # noqa: E402
from paddle_portrait.video.colour import Colour  # noqa: E402
from paddle_portrait.video.compositing import PlaneCompositor, RgbCompositor, make_compositor  # noqa: E402
from paddle_portrait.video.frame import Frame, planar_of_rgb  # noqa: E402
from paddle_portrait.video.rounds import Job  # noqa: E402
from paddle_portrait.video.session import VideoJob, VideoSession  # noqa: E402

BT709 = Colour(1, 1, 1, 1)


def job_of(picture: np.ndarray, colour: Colour = BT709, seconds: Fraction = Fraction(0)) -> Job:
    """Return a job of a picture whose left half is a person, with a soft edge."""
    planar = planar_of_rgb(picture, colour)
    planar.pts, planar.time_base = int(seconds * 90000), Fraction(1, 90000)
    frame = Frame(planar)
    person = np.clip(np.linspace(3, -2, 40), 0, 1).astype(np.float32)[None].repeat(24, axis=0)
    return Job(frame, frame.small_rgb((24, 40)), person)


def smooth_picture(size_hw: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Return a random picture without fine detail, so that the coarser colours of 4:2:0 lose nothing."""
    coarse = np.random.default_rng(seed).integers(0, 255, (3, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(size_hw[::-1], Image.Resampling.BICUBIC))


@pytest.mark.parametrize("size_hw", [(96, 160), (97, 161)])
@pytest.mark.parametrize("colour", [BT709, Colour(6, 1, 6, 6), Colour(2, 2, 2, 2)])
@pytest.mark.parametrize(
    ("name", "options", "hard", "most"),
    [
        ("replace", {}, False, 2),
        ("replace", {}, True, 2),
        ("color", {"color": "250,40,120"}, False, 2),
        ("color", {"color": "250,40,120"}, True, 2),
        ("blur", {}, False, 6),
    ],
)
def test_planes_and_rgb_draw_the_same(size_hw, colour, name, options, hard, most) -> None:
    effect = build_effect(name, **options)
    background = StillBackground(smooth_picture(size_hw, 1)) if effect.kind.needs_background else None
    compositors = make_compositor(effect, hard), RgbCompositor(effect, hard)
    assert isinstance(compositors[0], PlaneCompositor)
    planes, rgb = (draw(job_of(smooth_picture(size_hw), colour), background).rgb() for draw in compositors)
    difference = np.abs(planes.astype(int) - rgb)
    assert difference.mean() < most
    assert np.quantile(difference, 0.99) < 12 * most


def test_where_the_mask_is_sure_the_picture_or_the_background_is_exact() -> None:
    picture, behind = smooth_picture((96, 160)), smooth_picture((96, 160), 1)
    job = job_of(picture)
    background = StillBackground(behind)
    drawn = make_compositor(build_effect("replace"))(job, background)
    for result, front, back in zip(drawn.planes(), job.frame.planes(), _planes(behind), strict=True):
        width = result.shape[1]
        assert np.array_equal(result[:, : width // 3], front[:, : width // 3])
        assert np.array_equal(result[:, -width // 3 :], back[:, -width // 3 :])


@pytest.mark.parametrize("size_hw", [(96, 160), (97, 161), (30, 50)])
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize(
    "person", [np.s_[:0, :0], np.s_[3:9, 10:21], np.s_[0:1, 39:40], np.s_[23:24, 0:2], np.s_[:, 5:6], np.s_[:, :]]
)
def test_a_person_anywhere_is_drawn_as_if_the_whole_picture_were_blended(size_hw, hard, person) -> None:
    job = job_of(smooth_picture(size_hw))
    job.person = np.zeros((24, 40), np.float32)
    job.person[person] = np.random.default_rng(0).uniform(0.01, 1, job.person[person].shape)
    behind = smooth_picture(size_hw, 1)
    drawn = make_compositor(build_effect("replace"), hard)(job, StillBackground(behind))
    for result, front, back in zip(drawn.planes(), job.frame.planes(), _planes(behind), strict=True):
        opacity = cv2.resize(np.rint(job.person * 255).astype(np.uint8), result.shape[::-1]).astype(float) / 255
        if hard:
            opacity = (opacity > 0.5).astype(float)
        exact = front * opacity + back * (1 - opacity)
        assert np.abs(result - exact).max() <= 1.01
        assert np.array_equal(result[opacity == 0], back[opacity == 0])


def test_effects_with_refiners_and_other_effects_go_through_rgb() -> None:
    assert isinstance(make_compositor(build_effect("replace", refine="guided")), RgbCompositor)
    assert isinstance(make_compositor(build_effect("pixelate")), RgbCompositor)
    assert isinstance(make_compositor(build_effect("replace", defringe="fast")), RgbCompositor)
    assert isinstance(make_compositor(build_effect("blur", radius=0.1)), PlaneCompositor)


def test_nothing_of_the_background_is_left_under_transparency() -> None:
    job = job_of(smooth_picture((96, 160)))
    drawn = RgbCompositor(build_effect("cutout"))(job, None).picture.to_ndarray()
    assert drawn.shape == (96, 160, 4)
    assert not drawn[drawn[..., 3] == 0].any()
    assert drawn[40, 5].tolist()[3] == 255


def _planes(picture: np.ndarray) -> list[np.ndarray]:
    return Frame(planar_of_rgb(picture, BT709)).planes()


def levels_of_red(count: int) -> list[np.ndarray]:
    """Return pictures that tell their number by their grey."""
    return [np.full((48, 80, 3), 20 + 10 * number, np.uint8) for number in range(count)]


@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_background_begins_again_whenever_it_ends(clips, count: int) -> None:
    path = clips.write(clips.folder / "loop.mp4", levels_of_red(count))
    background = VideoBackground(path)
    frames = [job_of(smooth_picture((48, 80)), seconds=Fraction(number, 30)).frame for number in range(5 * count)]
    greys = [int(background.rgb(frame).mean()) for frame in frames]
    expected = [20 + 10 * (number % count) for number in range(5 * count)]
    assert np.abs(np.array(greys) - expected).max() <= 3


def test_a_background_shows_what_is_due_at_its_own_rate(clips) -> None:
    path = clips.write(clips.folder / "slow.mp4", levels_of_red(6), durations=[9000] * 6)  # 10 frames a second
    background = VideoBackground(path)
    frames = [job_of(smooth_picture((48, 80)), seconds=5 + Fraction(number, 30)).frame for number in range(18)]
    greys = [int(background.planar(frame).to_ndarray(format="gray").mean()) for frame in frames]
    assert greys == sorted(greys)
    assert [round((grey - greys[0]) / 10) for grey in greys] == [number // 3 for number in range(18)]


@pytest.mark.parametrize("fit", ["fill", "stretch", "fit", "mirror"])
def test_a_video_background_is_fitted_like_a_picture(clips, fit: str) -> None:
    picture = smooth_picture((60, 60), 5)
    path = clips.write(clips.folder / "square.mkv", [picture] * 2, codec="ffv1", pixels="yuv444p")
    still, moving = StillBackground(picture, fit), VideoBackground(path, fit)
    frame = job_of(smooth_picture((96, 160))).frame
    for plane_a, plane_b in zip(Frame(still.planar(frame)).planes(), Frame(moving.planar(frame)).planes(), strict=True):
        assert np.abs(plane_a.astype(int) - plane_b).mean() < 4


def test_pictures_and_videos_are_told_apart_by_their_names(clips) -> None:
    assert isinstance(open_background(clips.picture()), StillBackground)
    assert isinstance(open_background(clips.square(count=2)), VideoBackground)


@pytest.mark.parametrize(
    ("name", "decoder"),
    [("out.webm", "libvpx-vp9"), ("out.mov", None), ("out.gif", None), ("out.apng", None), ("out.webp", None)],
)
def test_cut_outs_are_transparent_in_every_format_that_can_be(clips, red_network: Path, name: str, decoder) -> None:
    target = clips.folder / name
    job = VideoJob(Predictor.load(red_network), build_effect("cutout"), [str(clips.square(count=4))], outputs=[target])
    VideoSession(job).run()
    if decoder:
        pictures = clips.facts(target, decoder).pictures
    elif name == "out.mov":
        with av.open(str(target)) as container:
            pictures = [frame.to_ndarray(format="rgba") for frame in container.decode(video=0)]
    else:
        image = Image.open(target)
        pictures = []
        for number in range(image.n_frames):
            image.seek(number)
            pictures.append(np.asarray(image.convert("RGBA")))
    assert len(pictures) == 4
    for step, picture in enumerate(pictures):
        top, left = clips.square_at(step)
        assert picture[5, 5, 3] <= 2
        assert picture[top + 16, left + 16, 3] >= 250
        assert np.abs(picture[top + 16, left + 16, :3].astype(int) - clips.red).max() < 16


def test_tiles_show_every_stream_at_the_pace_of_the_first(clips, red_network: Path) -> None:
    slow = clips.write(clips.folder / "slow.mp4", [clips.scene(step) for step in range(4)], durations=[9000] * 4)
    quick = clips.square("quick.mp4", count=12, sound="aac")
    target = clips.folder / "tiles.mp4"
    job = VideoJob(Predictor.load(red_network), build_effect("color", color="20,200,30"), [str(quick), str(slow)])
    job.outputs, job.tile = [target], True
    VideoSession(job).run()
    after = clips.facts(target)
    assert after.times == [Fraction(number, 30) for number in range(12)]
    assert len(after.sound) == len(clips.facts(quick).sound)
    for step, picture in enumerate(after.pictures):
        for column, shown in ((0, step), (80, step // 3)):
            top, left = (side // 2 for side in clips.square_at(shown))
            assert np.abs(picture[top + 8, column + left + 8].astype(int) - clips.red).max() < 30


def test_streams_of_any_length_are_written_apart(clips, red_network: Path) -> None:
    sources = [clips.square("a.mp4", count=5, sound="aac"), clips.square("b.mp4", count=9, size_hw=(64, 96))]
    job = VideoJob(Predictor.load(red_network), build_effect("color"), [str(source) for source in sources])
    job.outputs = [clips.folder / "a_out.mp4", clips.folder / "b_out.mp4"]
    VideoSession(job).run()
    for source, output in zip(sources, job.outputs, strict=True):
        before, after = clips.facts(source), clips.facts(output)
        assert after.times == before.times
        assert after.size_hw == before.size_hw
        assert after.sound == before.sound
