"""How steady, how right and how late the masks of a video are, for a network and the temporal filters behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from paddle_portrait.console import logger
from paddle_portrait.inference import Predictor
from paddle_portrait.metrics import MatteMetrics, RegionMetrics, dtssd, mask_instability, messddt, warping_error
from paddle_portrait.metrics.flow import dense_flow, followed_pixels
from paddle_portrait.preprocess.geometry import resize
from paddle_portrait.report.clips import Clip
from paddle_portrait.video.smoothing import FILTERS, TemporalFilter
from paddle_portrait.video.smoothing.steady import SceneWatch, Steadier

_SLACK = 0.02  # IoU; a mask that much worse than the network's own answer to the frame is late
_LEAST_IOU = 0.6  # a network that does not find the person tells nothing about being late


@dataclass(frozen=True)
class Setup:
    """A way from the network's answers to masks.

    Attributes:
        name: for tables.
        make_filter: makes the temporal filter.
        every: the network sees each ``every``-th frame.
        remember: feed the network with its last answer; only for one that takes it.
    """

    name: str
    make_filter: Callable[[], TemporalFilter]
    every: int = 1
    remember: bool = False


def setups_of(
    names: Sequence[str], options: Mapping[str, Any], every: int = 1, takes_prior: bool = False
) -> list[Setup]:
    """Return the network alone, then each named filter; ``options`` go to all that are named."""
    found = [Setup("none", partial(FILTERS.build, "none"))]
    if takes_prior:
        found.append(Setup("prior", partial(FILTERS.build, "none"), remember=True))
    named = [name for name in names if name != "none"]
    found += [Setup(name, partial(FILTERS.build, name, **options)) for name in named]
    if every > 1:
        found += [
            Setup(f"{setup.name}, every {every}", setup.make_filter, every, setup.remember) for setup in list(found)
        ]
    for setup in found:
        setup.make_filter()  # a wrong option is told before the work
    return found


class ClipMasks:
    """The masks of a clip, by any set-up; the network answers once.

    Args:
        predictor: the model.
        clip: what it looks at.
    """

    def __init__(self, predictor: Predictor, clip: Clip) -> None:
        self._predictor, self.clip = predictor, clip
        self._seen = [resize(frame, predictor.seen_hw((frame.shape[0], frame.shape[1]))) for frame in clip.frames]
        self._alone = [predictor(frame) for frame in self._seen]

    def masks(self, setup: Setup) -> list[np.ndarray]:
        """Return a mask for each frame, float32 at the frame's size, by the steps that the video pipeline takes."""
        watch, steadier = SceneWatch(setup.every), Steadier(setup.make_filter())
        memory = self._predictor.stream() if setup.remember else None
        masks = []
        for frame, alone in zip(self._seen, self._alone, strict=True):
            begins, due = watch(frame)
            if memory is not None and due:
                if begins:
                    memory.reset()
                alone = memory(frame)
            mask = steadier(frame, alone if due else None, begins)
            masks.append(resize(mask, self.clip.frames[0].shape[:2]))
        return masks


class Steadiness:
    """Judges masks of one clip; its motion is found once for all set-ups.

    Args:
        clip: frames on both sides of a cut are not compared.
    """

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        watch = SceneWatch()
        begins = [watch(frame)[0] for frame in clip.frames]
        self._pairs = [
            (number, *_motion(clip.frames[number - 1], clip.frames[number]))
            for number in range(1, len(clip.frames))
            if not begins[number]
        ]

    def judge(self, masks: Sequence[np.ndarray]) -> dict[str, float]:
        """Return means over the frames: warping error and mask instability; with truth dtSSD, MESSDdt, IoU and MAE.

        Args:
            masks: float32 H×W for each frame.
        """
        rows = [self._compare(masks, *pair) for pair in self._pairs]
        names = rows[0] if rows else {}
        figures = {name: float(np.nanmean([row[name] for row in rows])) for name in names}
        if self._clip.labels:
            region, matte = RegionMetrics(), MatteMetrics()
            for mask, label in zip(masks, self._clip.labels, strict=True):
                region.update(mask > 0.5, (label > 0.5).astype(np.uint8))
                matte.update(mask, label)
            figures |= {"person_iou": region.result()["person_iou"], "mae": matte.result()["mae"]}
        return figures

    def _compare(
        self, masks: Sequence[np.ndarray], number: int, flow: np.ndarray, followed: np.ndarray
    ) -> dict[str, float]:
        pair = masks[number - 1], masks[number]
        figures = {
            "warping_error": warping_error(*pair, flow, followed),
            "mask_instability": mask_instability(*pair, flow, followed),
        }
        if self._clip.labels:
            truths = self._clip.labels[number - 1], self._clip.labels[number]
            figures["dtssd"] = dtssd(*pair, *truths)
            figures["messddt"] = messddt(*pair, *truths, flow, followed)
        return figures


def frames_late(clip: Clip, masks: Sequence[np.ndarray], alone: Sequence[np.ndarray], event: str) -> int | None:
    """Return how many frames from an event on have a mask that is worse than the network's own answer to them.

    A mask that never moves is late in all of them. Worse is an IoU with the truth that is lower by more than 0.02.

    Args:
        clip: one with truth.
        masks: to be judged.
        alone: the network's answers, frame by frame.
        event: name of one of the clip's events.

    Returns:
        The count; None where the network alone does not find the person.
    """
    first = clip.events[event]
    truths = [label > 0.5 for label in clip.labels[first:]]
    best = [_iou(mask > 0.5, truth) for mask, truth in zip(alone[first:], truths, strict=True)]
    if np.mean(best) < _LEAST_IOU:
        logger.warning("clip '%s': the network finds too little of the person (IoU %.2f)", clip.name, np.mean(best))
        return None
    got = [_iou(mask > 0.5, truth) for mask, truth in zip(masks[first:], truths, strict=True)]
    return sum(int(one < most - _SLACK) for one, most in zip(got, best, strict=True))


def compare(predictor: Predictor, clips: Sequence[Clip], setups: Sequence[Setup]) -> dict[str, dict[str, Any]]:
    """Judge all set-ups on all clips.

    Args:
        predictor: the model.
        clips: those with events are judged for being late, the others for steadiness.
        setups: the first is the network alone.

    Returns:
        Figures by clip and set-up; ``{"cut": {"none": {"late": 0}, ...}, "talk": {"none": {"mae": ...}}}``.
    """
    figures: dict[str, dict[str, Any]] = {}
    for clip in clips:
        source = ClipMasks(predictor, clip)
        by_setup = {setup.name: source.masks(setup) for setup in setups}
        if clip.events:
            alone = by_setup[setups[0].name]
            figures[clip.name] = {
                name: {"late": {event: frames_late(clip, masks, alone, event) for event in clip.events}}
                for name, masks in by_setup.items()
            }
        else:
            steadiness = Steadiness(clip)
            figures[clip.name] = {name: steadiness.judge(masks) for name, masks in by_setup.items()}
    return figures


def table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the figures as lines of Markdown: a row for each clip and set-up."""
    columns = ("warping_error", "mask_instability", "dtssd", "messddt", "person_iou", "mae", "late")
    lines = [f"| clip | smoothing | {' | '.join(columns)} |", "|---|---|" + "---|" * len(columns)]
    for clip, by_setup in figures.items():
        for setup, values in by_setup.items():
            lines.append(f"| {clip} | {setup} | {' | '.join(_text(values.get(column)) for column in columns)} |")
    return "\n".join(lines)


def _motion(before: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the flow from a frame back to the one before, and the pixels that it follows."""
    flow = dense_flow(now, before)
    return flow, followed_pixels(flow, dense_flow(before, now))


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(_text(one) for one in value.values())
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.5f}"


def _iou(mask: np.ndarray, truth: np.ndarray) -> float:
    union = np.count_nonzero(mask | truth)
    return np.count_nonzero(mask & truth) / union if union else 1.0
