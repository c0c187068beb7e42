"""What the page of the preview may change, and how that reaches a running session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from paddle_portrait.effects import Effect, build_effect, build_refiner
from paddle_portrait.errors import UserError
from paddle_portrait.inference.inputs import SUFFIXES
from paddle_portrait.video.compositing import make_compositor
from paddle_portrait.video.masking import Refine
from paddle_portrait.video.session import VideoJob, VideoSession
from paddle_portrait.video.smoothing import FILTERS, TemporalFilter

# The keys of the seed programs C, S and H: one effect at a time.
KEY_EFFECTS = ("color_transfer", "seamless_clone", "harmonize")
_RANGES: Mapping[str, tuple[float, float]] = {"strength": (0, 1), "threshold": (0.05, 0.95), "every": (1, 10)}


@dataclass(frozen=True)
class Settings:
    """The state of the page.

    Attributes:
        smoothing: name of the temporal filter.
        strength: from 0, the network's masks, to 1, those of the filter.
        threshold: probability that is drawn as half a person; 0.5 changes nothing.
        every: the network sees each ``every``-th frame.
        background: number of the picture, among those that the page offers.
        effect: one of :data:`KEY_EFFECTS`; empty: what the command line names.
        smooth_step: whether edges are made steeper.
    """

    smoothing: str = "none"
    strength: float = 1.0
    threshold: float = 0.5
    every: int = 1
    background: int = 0
    effect: str = ""
    smooth_step: bool = False

    def changed(self, given: Mapping[str, Any], backgrounds: int) -> Settings:
        """Return these settings with some of them replaced.

        Raises:
            UserError: an unknown name, or a value of another kind or out of range.
        """
        for name, value in given.items():
            before = getattr(self, name, None)
            number = isinstance(before, (int, float)) and not isinstance(before, bool)
            fits = isinstance(value, (int, float) if isinstance(before, float) else type(before))
            if before is None or not fits or (number and isinstance(value, bool)):
                raise UserError(f"the preview knows no setting {name}={value!r}.")
        new = replace(self, **given)
        for name, (low, high) in {**_RANGES, "background": (0, max(0, backgrounds - 1))}.items():
            if not low <= getattr(new, name) <= high:
                raise UserError(f"{name}={getattr(new, name)} must be from {low} to {high}.")
        if new.effect not in ("", *KEY_EFFECTS):
            raise UserError(f"effect '{new.effect}' has no key; those that have: {', '.join(KEY_EFFECTS)}.")
        FILTERS.get(new.smoothing)
        return new


class Controls:
    """Holds the settings and applies them to the session that runs.

    Args:
        job: the job of the command line; its refiners stay in front.
    """

    def __init__(self, job: VideoJob) -> None:
        self._job = job
        self._session: VideoSession | None = None
        self.backgrounds = offered_backgrounds(job.background)
        chosen = next((number for number, path in enumerate(self.backgrounds) if _same(path, job.background)), 0)
        self.settings = Settings(job.smoothing, every=job.every, background=chosen)

    def attach(self, session: VideoSession) -> None:
        """Let the settings govern ``session`` from now on."""
        self._session = session
        self._apply(None, self.settings)

    def change(self, given: Mapping[str, Any]) -> Settings:
        """Change settings; a running session follows with its next frame.

        Raises:
            UserError: they cannot be had; nothing has changed then.
        """
        new = self.settings.changed(given, len(self.backgrounds))
        self._apply(self.settings, new)
        self.settings = new
        return new

    def state(self) -> dict[str, Any]:
        """Return what the page shows: settings, names of filters and backgrounds."""
        names = [Path(path).name for path in self.backgrounds]
        return {**asdict(self.settings), "filters": FILTERS.own_names(), "backgrounds": names}

    def _apply(self, old: Settings | None, new: Settings) -> None:
        """Bring the session from ``old`` to ``new``; None stands for whatever it does."""
        session = self._session
        if session is None:
            return
        if old is None or (old.effect, old.background) != (new.effect, new.background):
            effect = self._effect(new)
            if effect.kind.needs_background:
                session.use_background(str(self.backgrounds[new.background]), effect.options["fit"])
            session.compositor = make_compositor(effect, self._job.hard)
        if old is None or (old.smoothing, old.strength) != (new.smoothing, new.strength):
            session.masks.use_filter(lambda: self._filter(new))
        session.masks.every = new.every
        session.masks.refiners = [*self._job.refiners, *refiners_of(new)]

    def _effect(self, settings: Settings) -> Effect:
        effect = build_effect(settings.effect) if settings.effect else self._job.effect
        if effect.kind.needs_background and not self.backgrounds:
            raise UserError(f"{effect.name} needs a background: start with --bg_img_path or --bg_video_path.")
        if (effect.kind.channels == 4) != (self._job.effect.kind.channels == 4):
            raise UserError("a transparent result stays transparent: effect 'cutout' has no keys.")
        return effect

    def _filter(self, settings: Settings) -> TemporalFilter:
        options = self._job.smoothing_options if settings.smoothing == self._job.smoothing else {}
        chosen = FILTERS.build(settings.smoothing, **options)
        return chosen if settings.strength == 1 else _Weakened(chosen, settings.strength)


class _Weakened:
    """A part of what a filter does."""

    def __init__(self, whole: TemporalFilter, strength: float) -> None:
        self._whole, self._strength = whole, np.float32(strength)

    def __call__(self, frame_rgb: np.ndarray, person_prob: np.ndarray) -> np.ndarray:
        return person_prob + self._strength * (self._whole(frame_rgb, person_prob) - person_prob)

    def reset(self) -> None:
        self._whole.reset()


class _Shifted:
    """Maps a threshold to one half, and 0 and 1 to themselves."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    def __call__(self, image_rgb: np.ndarray, person_prob: np.ndarray) -> np.ndarray:
        return np.interp(person_prob, (0, self._threshold, 1), (0, 0.5, 1)).astype(np.float32)


def offered_backgrounds(background: str | None) -> list[str]:
    """Return the pictures beside the background of the command line, with itself among them."""
    if background is None:
        return []
    path = Path(background)
    beside = sorted(str(one) for one in path.parent.glob("*") if one.suffix.lower() in SUFFIXES - {".gif"})
    return beside if any(_same(one, background) for one in beside) else [background, *beside]


def _same(path: str, background: str | None) -> bool:
    return background is not None and Path(path) == Path(background)


def refiners_of(settings: Settings) -> list[Refine]:
    """Return what the threshold and the key M do to the masks."""
    chosen: list[Refine] = []
    if settings.threshold != Settings.threshold:
        chosen.append(_Shifted(settings.threshold))
    if settings.smooth_step:
        chosen.append(build_refiner("smooth_step"))
    return chosen
