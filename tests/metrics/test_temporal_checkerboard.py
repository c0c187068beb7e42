"""Flicker and checkerboard: hand-computed cases, plain loops, and what each must and must not notice."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import ndimage

from paddle_portrait.metrics import CheckerboardMetrics, FlickerMetrics, RegionMetrics, checkerboard
from paddle_portrait.metrics.flow import dense_flow, followed_pixels, warp
from paddle_portrait.metrics.temporal import dtssd, mask_instability, messddt, warping_error


def random_maps(count: int, shape: tuple[int, int] = (9, 13)) -> np.ndarray:
    return np.random.default_rng(0).random((count, *shape)).astype(np.float32)


def portrait(shift_x: float = 0.0, sigma: float = 1.5) -> np.ndarray:
    mask = np.zeros((128, 128), np.uint8)
    cv2.ellipse(mask, (64, 50), (28, 36), 0, 0, 360, 1, -1)
    cv2.rectangle(mask, (20, 90), (108, 127), 1, -1)
    moved = cv2.warpAffine(mask.astype(np.float32), np.float32([[1, 0, shift_x], [0, 1, 0]]), (128, 128))
    return cv2.GaussianBlur(moved, (0, 0), sigma)


def textured_scene(shift_x: int = 0) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(5).normal(size=(128, 160, 3)), (3, 3, 0))
    scene = np.clip(noise / noise.std() * 50 + 128, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(scene[:, 16 - shift_x : 144 - shift_x])


def test_hand_computed_flicker() -> None:
    previous = np.array([[0.0, 1.0], [1.0, 0.5]], np.float32)
    current = np.array([[0.0, 0.5], [1.0, 1.0]], np.float32)
    truth = np.array([[0.0, 1.0], [1.0, 1.0]], np.float32)
    assert warping_error(previous, current) == pytest.approx((0.25 + 0.25) / 4)
    assert mask_instability(previous, current) == pytest.approx(0.0)
    assert mask_instability(previous > 0.6, current > 0.6) == pytest.approx(1 - 1 / 3)
    # truth stands still; the answer changes by -0.5 and +0.5
    assert dtssd(previous, current, truth, truth) == pytest.approx(np.sqrt(0.5 / 4))
    # squared errors: before (0, 0, 0, 0.25), now (0, 0.25, 0, 0)
    assert messddt(previous, current, truth, truth) == pytest.approx(0.5 / 4)


def test_dtssd_and_messddt_agree_with_plain_loops_and_leave_out_ignored_pixels() -> None:
    a0, a1, g0, g1 = random_maps(4)
    g0[2, 3], g1[4, 5] = 255, 255
    squares, changes = [], []
    for y in range(a0.shape[0]):
        for x in range(a0.shape[1]):
            if g0[y, x] == 255 or g1[y, x] == 255:
                continue
            squares.append(((float(a1[y, x]) - a0[y, x]) - (float(g1[y, x]) - g0[y, x])) ** 2)
            changes.append(abs((float(a1[y, x]) - g1[y, x]) ** 2 - (float(a0[y, x]) - g0[y, x]) ** 2))
    assert len(squares) == a0.size - 2
    assert dtssd(a0, a1, g0, g1) == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-5)
    assert messddt(a0, a1, g0, g1) == pytest.approx(np.mean(changes), rel=1e-5)


def test_hard_labels_are_taken_as_zero_and_one() -> None:
    a0, a1 = random_maps(2)
    hard = np.zeros(a0.shape, np.uint8)
    hard[3:, 3:] = 1
    assert dtssd(a0, a1, hard, hard) == pytest.approx(dtssd(a0, a1, *[hard.astype(np.float32)] * 2))


def test_given_flow_follows_a_whole_pixel_motion_exactly() -> None:
    previous = random_maps(1, (20, 30))[0]
    current = np.roll(previous, 3, axis=1)  # everything moved 3 pixels to the right
    flow = np.zeros((20, 30, 2), np.float32)
    flow[..., 0] = -3  # what is here now was 3 pixels further left
    followed = np.zeros((20, 30), bool)
    followed[:, 3:] = True
    assert warping_error(previous, current, flow, followed) == 0.0
    assert mask_instability(previous, current, flow, followed) == 0.0
    assert warping_error(previous, current) > 0.1
    assert messddt(previous, current, np.zeros_like(previous), np.zeros_like(previous), flow, followed) == 0.0


def test_warp_agrees_with_scipy() -> None:
    values = random_maps(1, (20, 30))[0]
    flow = np.random.default_rng(1).uniform(-2, 2, (20, 30, 2)).astype(np.float32)
    y, x = np.mgrid[:20, :30].astype(np.float32)
    expected = ndimage.map_coordinates(values, [y + flow[..., 1], x + flow[..., 0]], order=1, mode="nearest")
    np.testing.assert_allclose(warp(values, flow), expected, atol=0.02)  # OpenCV rounds to 1/32 pixel


def test_followed_pixels_leave_out_the_frame_edge_and_contradictions() -> None:
    flow = np.zeros((10, 12, 2), np.float32)
    flow[..., 0] = 4
    assert followed_pixels(flow, -flow).sum() == 10 * (12 - 4)
    assert not followed_pixels(flow, flow).any()


def test_dis_flow_finds_a_shift_and_so_forgives_motion() -> None:
    before, now = textured_scene(0), textured_scene(4)
    flow = dense_flow(now, before)
    assert np.median(flow[..., 0]) == pytest.approx(-4, abs=0.2)
    moving, still = FlickerMetrics(), FlickerMetrics(use_flow=False)
    for metrics in (moving, still):
        assert metrics.update(before, portrait(0)) == {}
        metrics.update(now, portrait(4))
    assert moving.result()["warping_error"] < 0.2 * still.result()["warping_error"]
    assert moving.result()["mask_instability"] < 0.3 * still.result()["mask_instability"]


def test_flicker_over_a_clip_ignores_the_first_frame_and_clip_borders() -> None:
    scene, truth = textured_scene(), (portrait() > 0.5).astype(np.uint8)
    metrics = FlickerMetrics(use_flow=False)
    for k in range(4):  # flickers between two answers: every pair differs in the same way
        metrics.update(scene, portrait(k % 2 * 2), truth)
    single = dtssd(portrait(0), portrait(2), truth, truth)
    assert metrics.result()["dtssd"] == pytest.approx(single)
    assert metrics.result()["frame_pairs"] == 3
    metrics.start_clip()
    assert metrics.update(scene, portrait(9), truth) == {}
    assert metrics.update(scene[:64], portrait(9)[:64], truth[:64]) == {}  # another size: another clip
    assert metrics.result()["frame_pairs"] == 3


def test_flicker_without_labels_or_frames() -> None:
    metrics = FlickerMetrics(use_flow=False)
    assert np.isnan(metrics.result()["warping_error"])
    for k in range(2):
        metrics.update(textured_scene(), portrait(k))
    result = metrics.result()
    assert np.isnan(result["dtssd"])
    assert result["warping_error"] == pytest.approx(np.mean((portrait(1) - portrait(0)) ** 2), rel=1e-5)
    empty = np.zeros((4, 4), np.float32)
    assert mask_instability(empty, empty) == 0.0
    assert mask_instability(empty, empty + 1) == 1.0


def test_flicker_parts_merge() -> None:
    whole, first, second = (FlickerMetrics(use_flow=False) for _ in range(3))
    for clip, part in enumerate((first, second)):
        whole.start_clip()
        for k in range(3):
            for metrics in (whole, part):
                metrics.update(textured_scene(), portrait(k + clip * 3.0), portrait(0))
    first.merge(second)
    assert first.result() == pytest.approx(whole.result())


@pytest.mark.parametrize("amplitude", [0.01, 0.1])
@pytest.mark.parametrize(("name", "stride"), [("checker", 2), ("columns", 2), ("rows", 2), ("columns", 4)])
def test_a_pure_grid_gives_its_root_mean_square(name: str, stride: int, amplitude: float) -> None:
    y, x = np.mgrid[:64, :96]
    phase = {"checker": x + y, "columns": x, "rows": y}[name]
    grid = np.cos(2 * np.pi * phase / stride)
    expected = amplitude * np.sqrt(np.mean(grid**2))
    assert checkerboard(0.5 + amplitude * grid) == pytest.approx(expected, rel=1e-6)


def test_checkerboard_agrees_with_a_plain_fourier_sum() -> None:
    """Of a grid under a mask's outline, the amplitude at Nyquist by an explicit windowed sum."""
    y, x = np.mgrid[:64, :64]
    prob = portrait()[:64, :64].astype(np.float64) * (0.9 + 0.1 * (-1.0) ** (x + y))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    window = hann[:, None] * hann[None]
    mean = (prob * window).sum() / window.sum()
    amplitude = abs(((prob - mean) * window * (-1.0) ** (x + y)).sum()) / window.sum()
    assert checkerboard(prob, strides=(2,)) == pytest.approx(amplitude, rel=0.02)


@pytest.mark.parametrize("angle", [0, 17, 45])
@pytest.mark.parametrize("sigma", [0.7, 1.5, 3.0])
def test_smooth_outlines_are_no_grid_but_deconvolution_is(angle: float, sigma: float) -> None:
    turn = cv2.getRotationMatrix2D((64, 64), angle, 1)
    smooth = cv2.warpAffine(portrait(sigma=sigma), turn, (128, 128))
    y, x = np.mgrid[:128, :128]
    uneven = np.where((x % 2 == 0) & (y % 2 == 0), 0.9, 1.0)  # one tap of four weaker, as in a kernel of 3, stride 2
    assert checkerboard(smooth) < 1e-3
    assert checkerboard(smooth * uneven) > 10 * max(checkerboard(smooth), 1e-3)


def test_miou_does_not_see_the_grid() -> None:
    y, x = np.mgrid[:128, :128]
    smooth = portrait(sigma=0.8)
    gridded = np.clip(smooth * (0.85 + 0.15 * (-1.0) ** (x + y)), 0, 1)
    region = RegionMetrics()
    region.update(gridded >= 0.5, smooth >= 0.5)
    assert region.result()["miou"] > 0.97
    assert checkerboard(gridded) > 0.05


def test_checkerboard_metrics_leave_out_maps_too_small_to_judge() -> None:
    metrics = CheckerboardMetrics()
    assert np.isnan(metrics.update(np.zeros((15, 40), np.float32))["checkerboard"])
    y, x = np.mgrid[:33, :35]
    metrics.update(0.5 + 0.1 * (-1.0) ** (x + y))
    assert metrics.result()["checkerboard"] == pytest.approx(0.1)
    with pytest.raises(ValueError, match="must be"):
        checkerboard(np.zeros((2, 32, 32)))
