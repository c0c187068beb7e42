"""Metrics of flicker in sequences. Each compares a frame with the one before; the first frame has no value.

All take the motion as ``flow``: float32 H×W×2, from the current frame to the previous one, so that what is at
p now was at p + flow(p) before; None means that nothing moves. ``followed`` marks the pixels to trust.
"""

from __future__ import annotations

import cv2
import numpy as np

from paddle_portrait.metrics.accumulator import (
    IGNORE_INDEX,
    Accumulator,
    check_same_shape,
    counter,
    mean_of,
    total,
    valid_pixels,
)
from paddle_portrait.metrics.flow import dense_flow, followed_pixels, warp
from paddle_portrait.registry import METRICS

FIGURES = ("warping_error", "mask_instability", "dtssd", "messddt")


def warping_error(
    previous: np.ndarray, current: np.ndarray, flow: np.ndarray | None = None, followed: np.ndarray | None = None
) -> float:
    """Return the mean squared change of the probability along the motion, over the followed pixels.

    Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018 (E_warp). Needs no truth; an answer
    that never changes scores 0 however wrong it is, so read it beside the IoU.

    Args:
        previous: float32 H×W probability of the frame before.
        current: float32 H×W probability.
        flow: motion, see the module.
        followed: bool H×W, or None for all pixels.

    Returns:
        A value in [0, 1]; NaN where no pixel can be followed.
    """
    check_same_shape(previous, current, "probabilities")
    change = (current - _moved(previous, flow)) ** 2
    return _mean_over(change, followed)


def mask_instability(
    previous: np.ndarray, current: np.ndarray, flow: np.ndarray | None = None, followed: np.ndarray | None = None
) -> float:
    """Return 1 - IoU of the previous mask, moved along, and the current one, over the followed pixels.

    One minus the temporal consistency of Liu et al., "Efficient Semantic Video Segmentation with
    Per-frame Inference", ECCV 2020, for the person alone. Both masks empty give 0.

    Args:
        previous: H×W probability (cut at 0.5) or bool mask of the frame before.
        current: the same of this frame.
        flow: motion, see the module.
        followed: bool H×W, or None for all pixels.
    """
    check_same_shape(previous, current, "masks")
    before = _moved((previous >= 0.5).astype(np.uint8), flow, cv2.INTER_NEAREST) > 0
    now = current >= 0.5
    if followed is not None:
        before, now = before & followed, now & followed
    union = np.count_nonzero(before | now)
    return 1.0 - np.count_nonzero(before & now) / union if union else 0.0


def dtssd(
    previous: np.ndarray,
    current: np.ndarray,
    previous_truth: np.ndarray,
    current_truth: np.ndarray,
    ignore_index: int = IGNORE_INDEX,
) -> float:
    """Return the root mean square difference between the changes of the answer and those of the truth.

    ``sqrt(mean(((a_t - a_t-1) - (g_t - g_t-1))²))``; Erofeev et al., "Perceptually Motivated Benchmark
    for Video Matting", BMVC 2015, as a mean over pixels. Papers print it times 100. Some count the first frame
    as 0, which lowers their means.

    Args:
        previous: float32 H×W probability of the frame before.
        current: float32 H×W probability.
        previous_truth: H×W label of the frame before, soft in [0, 1] or classes.
        current_truth: H×W label.
        ignore_index: label of pixels that are left out, in whichever of the two frames.

    Returns:
        A value in [0, 2]; NaN where no pixel counts.
    """
    check_same_shape(current, current_truth, "probability and label")
    valid = valid_pixels(previous_truth, ignore_index) & valid_pixels(current_truth, ignore_index)
    difference = (current - previous) - (_soft(current_truth) - _soft(previous_truth))
    return float(np.sqrt(_mean_over(difference**2, valid)))


def messddt(
    previous: np.ndarray,
    current: np.ndarray,
    previous_truth: np.ndarray,
    current_truth: np.ndarray,
    flow: np.ndarray | None = None,
    followed: np.ndarray | None = None,
    ignore_index: int = IGNORE_INDEX,
) -> float:
    """Return the mean change of the squared error along the motion.

    ``mean(|(a_t - g_t)²(p) - (a_t-1 - g_t-1)²(p + flow)|)``; Erofeev et al., BMVC 2015. Unlike dtSSD it does
    not punish an error that travels with the person.

    Args:
        previous: float32 H×W probability of the frame before.
        current: float32 H×W probability.
        previous_truth: H×W label of the frame before.
        current_truth: H×W label.
        flow: motion, see the module.
        followed: bool H×W, or None for all pixels.
        ignore_index: label of pixels that are left out.

    Returns:
        A value in [0, 1]; NaN where no pixel counts.
    """
    check_same_shape(current, current_truth, "probability and label")
    # Nearest, so that an ignored pixel's error never mixes into that of a neighbour.
    valid_before = _moved(valid_pixels(previous_truth, ignore_index).astype(np.uint8), flow, cv2.INTER_NEAREST) > 0
    valid = valid_before & valid_pixels(current_truth, ignore_index)
    error_before = _moved(((previous - _soft(previous_truth)) ** 2).astype(np.float32), flow, cv2.INTER_NEAREST)
    error_now = (current - _soft(current_truth)) ** 2
    return _mean_over(np.abs(error_now - error_before), valid if followed is None else valid & followed)


@METRICS.register()
class FlickerMetrics(Accumulator):
    """Means over all neighbouring pairs of frames: ``warping_error, mask_instability, dtssd, messddt, frame_pairs``.

    The last two stay NaN without labels. Call :meth:`start_clip` where another clip begins.

    Args:
        use_flow: follow the motion by optical flow (DIS); else pixels are compared in place.
        ignore_index: label of pixels that are left out of what compares with labels.
    """

    takes = "sequence"

    def __init__(self, use_flow: bool = True, ignore_index: int = IGNORE_INDEX) -> None:
        sums = {name: total() for name in FIGURES}
        counts = {f"{name}_pairs": counter() for name in FIGURES}
        super().__init__(**sums, **counts, frame_pairs=counter())
        self.use_flow = use_flow
        self.ignore_index = ignore_index
        self._before: tuple[np.ndarray, np.ndarray, np.ndarray | None] | None = None

    def start_clip(self) -> None:
        """Forget the last frame: the next one is the first of its clip."""
        self._before = None

    def update(self, frame_rgb: np.ndarray, prob: np.ndarray, label: np.ndarray | None = None) -> dict[str, float]:
        """Add the next frame of the clip.

        Args:
            frame_rgb: uint8 H×W×3; only looked at for its motion.
            prob: float32 H×W probability of the person.
            label: H×W label, soft or classes, or None.

        Returns:
            The values of this frame against the one before; empty for the first of a clip. A frame of another
            size starts a clip.
        """
        before, self._before = self._before, (frame_rgb, prob, label)
        if before is None or before[1].shape != prob.shape:
            return {}
        values = self._compare(before, (frame_rgb, prob, label))
        for name, value in values.items():
            if not np.isnan(value):
                self._sums[name] += value
                self._sums[f"{name}_pairs"] += 1
        self._sums["frame_pairs"] += 1
        return values

    def _compare(
        self,
        before: tuple[np.ndarray, np.ndarray, np.ndarray | None],
        now: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    ) -> dict[str, float]:
        (frame_before, previous, truth_before), (frame, current, truth) = before, now
        flow = followed = None
        if self.use_flow:
            flow = dense_flow(frame, frame_before)
            followed = followed_pixels(flow, dense_flow(frame_before, frame))
        values = {
            "warping_error": warping_error(previous, current, flow, followed),
            "mask_instability": mask_instability(previous, current, flow, followed),
        }
        if truth is not None and truth_before is not None:
            truths = (truth_before, truth)
            values["dtssd"] = dtssd(previous, current, *truths, self.ignore_index)
            values["messddt"] = messddt(previous, current, *truths, flow, followed, self.ignore_index)
        return values

    def result(self) -> dict[str, float]:
        """Return the means and ``frame_pairs``; NaN where nothing was seen."""
        means = {name: mean_of(self._sums[name], self._sums[f"{name}_pairs"]) for name in FIGURES}
        return {**means, "frame_pairs": int(self._sums["frame_pairs"])}


def _moved(values: np.ndarray, flow: np.ndarray | None, interpolation: int = cv2.INTER_LINEAR) -> np.ndarray:
    return values if flow is None else warp(values, flow, interpolation)


def _soft(label: np.ndarray) -> np.ndarray:
    return (label if label.dtype.kind == "f" else label != 0).astype(np.float32)


def _mean_over(values: np.ndarray, where: np.ndarray | None) -> float:
    chosen = values if where is None else values[where]
    return float(chosen.mean(dtype=np.float64)) if chosen.size else float("nan")
