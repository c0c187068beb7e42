"""Temporal filters: what they steady, what they must not touch, and what a cut does to them."""

from __future__ import annotations

import itertools
import math

import cv2
import numpy as np
import pytest

pytest.importorskip("av", reason="videos need PyAV")

from paddle_portrait.errors import UserError
from paddle_portrait.video.smoothing import FILTERS
from paddle_portrait.video.smoothing.motion import MotionFinder
from paddle_portrait.video.smoothing.steady import SceneWatch, Steadier

SIZE_HW = (96, 128)
NAMES = [name for name in FILTERS.own_names() if name != "none"]


def texture(seed: int) -> np.ndarray:
    """Return a picture with detail that optical flow can hold on to."""
    noise = np.random.default_rng(seed).random((*SIZE_HW, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return (255 * (smooth - smooth.min()) / (smooth.max() - smooth.min())).astype(np.uint8)


def truth_at(left: float) -> np.ndarray:
    """Return the mask of a disc, soft by a pixel."""
    y, x = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    return np.clip(24.5 - np.hypot(x - left, y - 48), 0, 1).astype(np.float32)


def scene(left: float, person: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Return a textured disc that takes its texture along, before another texture."""
    shift = np.float32([[1, 0, left - 40], [0, 1, 0]])
    moved = cv2.warpAffine(person, shift, SIZE_HW[::-1], borderMode=cv2.BORDER_REFLECT)
    alpha = truth_at(left)[..., None]
    return (alpha * moved + (1 - alpha) * behind).astype(np.uint8)


def moving_clip(pace: float, count: int = 24) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return frames, truth, and a network's answer with edges that flicker."""
    rng = np.random.default_rng(0)
    person, behind = 255 - texture(1) // 2, texture(2) // 2
    clip = []
    for step in range(count):
        truth = truth_at(40 + pace * step)
        flicker = cv2.GaussianBlur(rng.normal(0, 1, SIZE_HW).astype(np.float32), (0, 0), 2)
        answer = np.clip(cv2.GaussianBlur(truth, (0, 0), 2) + 1.5 * flicker, 0, 1)
        clip.append((scene(40 + pace * step, person, behind), truth, answer))
    return clip


@pytest.mark.parametrize("name", FILTERS.own_names())
def test_what_stands_still_is_left_alone(name: str) -> None:
    steady, frame, person = FILTERS.build(name), texture(0), truth_at(40)
    for _ in range(5):
        result = steady(frame, person)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, person, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pace", [0.0, 1.3])
def test_flicker_falls_and_the_error_does_not_rise(name: str, pace: float) -> None:
    clip, steady = moving_clip(pace), FILTERS.build(name)
    results = [steady(frame, answer) for frame, _, answer in clip]

    def figures(masks: list[np.ndarray]) -> tuple[float, float]:
        """Return how much the error moves from frame to frame, and how large it is."""
        errors = [mask - truth for mask, (_, truth, _) in zip(masks, clip, strict=True)]
        moves = [np.abs(later - sooner).mean() for sooner, later in itertools.pairwise(errors[4:])]
        return float(np.mean(moves)), float(np.mean([np.square(error).mean() for error in errors[4:]]))

    flicker, error = figures(results)
    raw_flicker, raw_error = figures([answer for _, _, answer in clip])
    assert flicker < 0.8 * raw_flicker
    assert error <= raw_error


@pytest.mark.parametrize("name", NAMES)
def test_a_reset_forgets_everything(name: str) -> None:
    used, fresh = FILTERS.build(name), FILTERS.build(name)
    for frame, _, answer in moving_clip(1.0, 5):
        used(frame, answer)
    used.reset()
    for frame, _, answer in moving_clip(2.0, 3):
        np.testing.assert_array_equal(used(frame, answer), fresh(frame, answer))


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_of_another_size_begins_anew(name: str) -> None:
    steady = FILTERS.build(name)
    steady(texture(0), truth_at(40))
    other = np.full((40, 50), 0.3, np.float32)
    np.testing.assert_array_equal(steady(np.zeros((40, 50, 3), np.uint8), other), other)


def test_one_euro_by_hand() -> None:
    """Two steps of the paper's algorithm in plain numbers: 10 frames a second, cut-off 1 Hz, beta 0.5."""
    steady = FILTERS.build("one_euro", min_cutoff=1, beta=0.5, speed_cutoff=1, rate=10)
    frame = np.zeros((1, 1, 3), np.uint8)
    got = [float(steady(frame, np.full((1, 1), value, np.float32))[0, 0]) for value in (0.2, 0.8, 0.8)]

    def share(cutoff: float) -> float:
        return 1 / (1 + (1 / (2 * math.pi * cutoff)) / (1 / 10))

    speed = share(1) * (0.8 - 0.2) * 10
    first = 0.2 + share(1 + 0.5 * speed) * (0.8 - 0.2)
    speed += share(1) * (0 - speed)
    second = first + share(1 + 0.5 * speed) * (0.8 - first)
    np.testing.assert_allclose(got, [0.2, first, second], rtol=1e-5)


def test_optic_flow_weighs_as_pp_humanseg_meant() -> None:
    """A still picture: sure pixels take 0.3 of the network's answer, unsure ones 0.05."""
    steady, frame = FILTERS.build("optic_flow"), texture(0)
    steady(frame, np.full(SIZE_HW, 0.5, np.float32))
    answer = np.full(SIZE_HW, 0.8, np.float32)
    answer[:, 64:] = 0.95
    result = steady(frame, answer)
    np.testing.assert_allclose(result[:, :60], 0.5 + 0.05 * 0.3, atol=1e-5)
    np.testing.assert_allclose(result[:, 68:], 0.5 + 0.3 * 0.45, atol=1e-5)


def test_the_exponential_filter_lets_go_where_the_picture_moves() -> None:
    steady, before = FILTERS.build("exponential"), texture(0)
    after = before.copy()
    after[:, 64:] = texture(5)[:, 64:]
    steady(before, np.zeros(SIZE_HW, np.float32))
    result = steady(after, np.ones(SIZE_HW, np.float32))
    assert result[:, :58].max() < 0.16
    assert result[:, 70:].mean() > 0.95


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("exponential", {"keep": 1.0}),
        ("exponential", {"motion": 0}),
        ("one_euro", {"min_cutoff": 0}),
        ("one_euro", {"beta": -1}),
        ("exponential", {"keeps": 0.5}),
        ("optical_flow", {}),
        ("one_euro", {"rate": "fast"}),
    ],
)
def test_wrong_options_are_told(name: str, options: dict) -> None:
    with pytest.raises(UserError, match=r"filter"):
        FILTERS.build(name, **options)


def test_motion_is_found_at_fractions_of_pixels_and_not_trusted_where_it_leads_outside() -> None:
    before = texture(3)
    after = cv2.warpAffine(before, np.float32([[1, 0, 2.4], [0, 1, 0]]), SIZE_HW[::-1])
    motion = MotionFinder()(before, after)
    assert abs(np.median(motion.back[20:-20, 20:-20, 0]) + 2.4) < 0.15
    assert motion.trusted[20:-20, 20:-20].mean() > 0.95
    assert not motion.trusted[20:-20, 0].any()
    assert not motion.still[20:-20, 20:-20].any()


def test_cuts_are_seen_and_fast_moves_pans_and_noise_are_none() -> None:
    watch, rng = SceneWatch(), np.random.default_rng(0)
    begins = []
    for frame, _, _ in moving_clip(3.0, 10):
        noisy = np.clip(frame + rng.normal(0, 6, frame.shape), 0, 255).astype(np.uint8)
        begins.append(watch(noisy)[0])
    panned = np.roll(noisy, 40, axis=1)
    begins.append(watch(panned)[0])
    begins.append(watch(np.full((*SIZE_HW, 3), (30, 90, 200), np.uint8))[0])
    begins.append(watch(np.zeros((40, 40, 3), np.uint8))[0])
    assert [number for number, begun in enumerate(begins) if begun] == [0, 11, 12]


def test_the_network_sees_every_third_frame_and_the_first_of_each_scene() -> None:
    watch = SceneWatch(3)
    one, other = texture(0) // 2, 255 - texture(1) // 2
    due = [watch(frame)[1] for frame in [one] * 5 + [other] * 4]
    assert due == [True, False, False, True, False, True, False, False, True]
    with pytest.raises(UserError, match="every 0 frames"):
        SceneWatch(0)


def test_masks_between_travel_with_the_person() -> None:
    clip = moving_clip(1.5, 9)
    steadier = Steadier(FILTERS.build("none"))
    for number, (frame, truth, _) in enumerate(clip):
        carried = steadier(frame, truth if number == 0 else None)
        union = np.count_nonzero((carried > 0.5) | (truth > 0.5))
        assert np.count_nonzero((carried > 0.5) & (truth > 0.5)) / union > 0.9
    stale = clip[0][1] > 0.5
    assert np.count_nonzero(stale & (truth > 0.5)) / np.count_nonzero(stale | (truth > 0.5)) < 0.7


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_leaves_nothing_of_the_scene_before(name: str) -> None:
    steadier = Steadier(FILTERS.build(name))
    for frame, truth, _ in moving_clip(1.0, 4):
        steadier(frame, truth)
    answer = np.full(SIZE_HW, 0.3, np.float32)
    np.testing.assert_array_equal(steadier(texture(7), answer, begins=True), answer)
