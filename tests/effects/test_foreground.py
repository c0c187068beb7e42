"""Colours of the person under an outline that mixes them with the old background."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from paddle_portrait.effects import build_effect, estimate_foreground


def mixed() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return image, alpha and the true foreground: a soft disc before a busy green wall."""
    y, x = np.mgrid[:180, :240].astype(np.float32)
    front = np.dstack([180 + 40 * np.sin(x / 40), 90 + 30 * np.cos(y / 30), 70 + 0 * x])
    back = np.dstack([30 + 20 * np.sin(x / 9), 190 + 30 * np.sin(y / 13), 40 + 0 * x])
    alpha = np.clip((70 - np.hypot(y - 90, x - 120)) / 14 + 0.5, 0, 1)
    image = front * alpha[..., None] + back * (1 - alpha[..., None])
    return np.rint(image).astype(np.uint8), alpha.astype(np.float32), front


@pytest.mark.parametrize(("method", "share"), [("best", 0.15), ("fast", 0.25)])
def test_the_estimate_is_far_nearer_the_truth_than_the_photo(method: str, share: float) -> None:
    image, alpha, front = mixed()
    unsure = (alpha > 0.1) & (alpha < 0.9)
    estimate = estimate_foreground(image, alpha, method)
    before, after = (np.abs(picture[unsure] - front[unsure]).mean() for picture in (image, estimate))
    assert after < share * before


@pytest.mark.parametrize("method", ["best", "fast"])
def test_sure_persons_keep_their_pixels(method: str) -> None:
    image, alpha, _ = mixed()
    estimate = estimate_foreground(image, alpha, method)
    assert np.array_equal(estimate[alpha == 1], image[alpha == 1])


@pytest.mark.parametrize("method", ["best", "fast"])
@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_masks_of_one_value_give_the_photo_back(method: str, value: float) -> None:
    image = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8), (0, 0), 3)
    estimate = estimate_foreground(image, np.full((30, 40), value, np.float32), method)
    assert estimate.shape == image.shape
    if value:
        assert np.abs(estimate.astype(int) - image).mean() < 6


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 40), (40, 1), (2, 2), (33, 17)], ids=str)
@pytest.mark.parametrize("method", ["best", "fast"])
def test_any_size(method: str, size_hw: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    image, alpha = rng.integers(0, 256, (*size_hw, 3), dtype=np.uint8), rng.random(size_hw, dtype=np.float32)
    assert estimate_foreground(image, alpha, method).shape == image.shape


@pytest.mark.parametrize("defringe", ["fast", "best"])
def test_no_green_rim_before_the_new_background(defringe: str) -> None:
    image, alpha, front = mixed()
    black = np.zeros_like(image)
    truth = front * alpha[..., None]
    rim = (alpha > 0.05) & (alpha < 0.95)
    plain, clear = (build_effect("replace", defringe=name)(image, alpha, black) for name in ("none", defringe))
    assert np.abs(plain[rim] - truth[rim])[:, 1].max() > 25
    assert np.abs(clear[rim] - truth[rim])[:, 1].max() < 16
    cut = build_effect("cutout", defringe=defringe)(image, alpha)
    assert np.abs(cut[rim][:, 1] - front[rim][:, 1]).mean() < 12
