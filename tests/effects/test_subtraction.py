"""Background subtraction with a camera that does not move."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from paddle_portrait.effects import BackgroundSubtractor, build_effect
from paddle_portrait.errors import UserError


def empty_scene(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    wall = np.clip(90 + np.mgrid[:240, :320][1][..., None] * 0.2 + np.zeros(3), 0, 255)
    return np.clip(wall + rng.normal(0, 6, (240, 320, 3)), 0, 255).astype(np.uint8)


def with_person(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    person = np.zeros(frame.shape[:2], np.uint8)
    cv2.ellipse(person, (160, 200), (50, 100), 0, 0, 360, (1,), -1)
    frame = frame.copy()
    frame[person == 1] = (230, 200, 190)
    frame[150:170, 150:170] = empty_scene(7)[150:170, 150:170]  # clothes of the wall's colour: a hole
    frame[20:30, 280:290] = 255  # a lamp was switched on
    return frame, person


def test_the_largest_new_shape_is_found_without_holes() -> None:
    subtract = BackgroundSubtractor(frames=20)
    states = [subtract.learn(empty_scene(seed)) for seed in range(20)]
    assert states == [False] * 19 + [True]
    frame, person = with_person(empty_scene(99))
    found = subtract(frame)
    assert found.dtype == np.float32
    assert ((found > 0.5) == (person == 1)).mean() > 0.99
    assert found[160, 160] == 1
    assert found[25, 285] == 0
    soft = (found > 0.02) & (found < 0.98)
    assert 5 < soft.sum(axis=1)[190] / 2 < 26  # the edge is blurred by 25 pixels


def test_an_empty_scene_has_no_person() -> None:
    subtract = BackgroundSubtractor(1)
    subtract.learn(empty_scene(0))
    assert subtract(empty_scene(1)).max() == 0


def test_a_step_of_exactly_the_threshold_is_no_change() -> None:
    flat = np.full((100, 120, 3), 100, np.uint8)
    subtract = BackgroundSubtractor(1, threshold=25)
    subtract.learn(flat)
    assert subtract(flat + np.uint8(25)).max() == 0
    assert subtract(flat + np.uint8(26)).min() == 1


def test_misuse_is_named() -> None:
    for arguments in ((0, 25), (1, 256), (1, -1)):
        with pytest.raises(UserError, match="allowed"):
            BackgroundSubtractor(*arguments)
    subtract = BackgroundSubtractor(2)
    subtract.learn(empty_scene())
    with pytest.raises(UserError, match="1 of 2 frames"):
        subtract(empty_scene())
    with pytest.raises(UserError, match=r"\(100, 240\) pixels, the scene was learnt at \(320, 240\)"):
        subtract.learn(empty_scene()[:, :100])
    subtract.learn(empty_scene())
    with pytest.raises(UserError, match="the scene was learnt at"):
        subtract(empty_scene()[:100])
    with pytest.raises(UserError, match="the frame is"):
        subtract(empty_scene()[..., 0])


def test_the_effect_shows_the_person_on_black() -> None:
    frame, person = with_person(empty_scene(1))
    picture = build_effect("subtract_background")(frame, np.zeros(person.shape, np.float32), empty_scene(0))
    core = cv2.erode(person, np.ones((31, 31), np.uint8)) == 1
    away = cv2.dilate(person, np.ones((41, 41), np.uint8)) == 0
    assert np.array_equal(picture[core], frame[core])
    assert np.all(picture[away] == 0)
