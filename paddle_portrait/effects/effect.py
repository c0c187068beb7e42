"""What an effect is, the effects by name, and the making of one with its options checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast, get_args

import numpy as np

from paddle_portrait.effects.arrays import checked_image, checked_person
from paddle_portrait.effects.background import FitMode, fit_background
from paddle_portrait.effects.options import Option, check_options, options_of
from paddle_portrait.effects.refiner import Refiner, build_refiner
from paddle_portrait.errors import UserError
from paddle_portrait.registry import Registry

EFFECTS = Registry("effect", ("paddle_portrait.effects",))

RefinerLike = str | Mapping[str, Any] | Refiner


# A function of image, person probability and, where it needs one, background, all checked and of one height and width,
# with keyword options. It returns the picture, uint8 H×W×3 or H×W×4, and leaves its arguments alone.
EffectFunction = Callable[..., np.ndarray]
FIT = Option(
    "fit",
    "choice",
    "fill",
    "how the background is brought to the image's size: all of it with black bars, covering the frame, all of it with "
    "its mirror images around, or distorted",
    choices=get_args(FitMode),
)


@dataclass(frozen=True)
class EffectKind:
    """An effect by name, before its options are chosen; calling it builds the effect.

    Attributes:
        name: in the registry.
        function: what does the work.
        summary: one line for people.
        needs_background: whether a background picture is drawn in; otherwise the argument is ignored.
        channels: 3, or 4 for pictures with transparency.
    """

    name: str
    function: EffectFunction
    summary: str
    needs_background: bool
    channels: int

    @property
    def options(self) -> tuple[Option, ...]:
        """What may be chosen."""
        return (*options_of(self.function), FIT) if self.needs_background else options_of(self.function)

    def __call__(self, **options: Any) -> Effect:
        """Build the effect with these options (the others keep their defaults)."""
        return Effect(self, check_options(f"effect '{self.name}'", self.options, options))


@dataclass(frozen=True)
class Effect:
    """A picture of a photo, its person probability and, for some effects, a background.

    It holds no state between calls, so one may serve several threads and streams.

    Attributes:
        kind: which effect, and whether it needs a background.
        options: all of them, with their values.
        refiners: what is done to the probability first, in order.
    """

    kind: EffectKind
    options: Mapping[str, Any]
    refiners: tuple[Refiner, ...] = field(default=())

    @property
    def name(self) -> str:
        """Name in the registry."""
        return self.kind.name

    def __call__(
        self, image_rgb: np.ndarray, person_prob: np.ndarray, background: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the picture; the arguments stay as they are.

        Args:
            image_rgb: uint8 H×W×3.
            person_prob: H×W floating point; what lies outside [0, 1] is clipped.
            background: uint8 h×w×3 for effects that need one, ignored by the others. Where it has not the image's size
                it is brought to it as the option ``fit`` says: do that once beforehand for a video.

        Returns:
            uint8 H×W×3, or H×W×4 where ``kind.channels`` is 4.

        Raises:
            UserError: a wrong type or size, or a background is missing.
        """
        image = checked_image(image_rgb, "the image")
        person = checked_person(person_prob, image.shape[:2])
        for refine in self.refiners:
            person = refine(image, person)
        if not self.kind.needs_background:
            return self.kind.function(image, person, **self.options)
        if background is None:
            raise UserError(f"effect '{self.name}' needs a background picture, and none was given.")
        own = {name: value for name, value in self.options.items() if name != FIT.name}
        return self.kind.function(
            image, person, fit_background(background, image.shape[:2], self.options["fit"]), **own
        )


def effect(name: str, needs_background: bool = False, channels: int = 3) -> Callable[[EffectFunction], EffectFunction]:
    """Decorate a function to register it as an effect; the first line of its docstring is the summary."""

    def decorate(function: EffectFunction) -> EffectFunction:
        summary = (function.__doc__ or "").strip().splitlines()[0]
        EFFECTS.register(name)(EffectKind(name, function, summary, needs_background, channels))
        return function

    return decorate


def build_effect(name: str, /, *, refine: RefinerLike | Sequence[RefinerLike] = (), **options: Any) -> Effect:
    """Make an effect.

    Args:
        name: one of ``EFFECTS.names()``.
        refine: what is done to the person probability first: names of refiners (a text may hold several, with commas
            between them), mappings such as ``{"type": "guided", "radius": 8}``, or built ones.
        **options: values, or their texts; the others keep their defaults.

    Raises:
        UserError: an unknown name, or a value that is not allowed.
    """
    built = EFFECTS.build(name, **options)
    return Effect(built.kind, built.options, tuple(_refiners(refine)))


def effect_kind(name: str) -> EffectKind:
    """Return what is registered as ``name``: its options, and whether it needs a background.

    Raises:
        UnknownNameError: with the nearest name and all allowed ones.
    """
    return cast(EffectKind, EFFECTS.get(name))


def describe_effects() -> list[dict[str, Any]]:
    """Return all effects as JSON-able values: name, summary, needs_background, channels and options."""
    kinds = [effect_kind(name) for name in EFFECTS.names()]
    return [
        {
            "name": kind.name,
            "summary": kind.summary,
            "needs_background": kind.needs_background,
            "channels": kind.channels,
            "options": [option.to_dict() for option in kind.options],
        }
        for kind in kinds
    ]


def _refiners(given: RefinerLike | Sequence[RefinerLike]) -> list[Refiner]:
    if isinstance(given, str):
        given = [name.strip() for name in given.split(",") if name.strip()]
    elif isinstance(given, Mapping | Refiner):
        given = [given]
    return [_refiner(entry) for entry in given]


def _refiner(entry: RefinerLike) -> Refiner:
    if isinstance(entry, Refiner):
        return entry
    if isinstance(entry, str):
        return build_refiner(entry)
    if "type" not in entry:
        raise UserError(f"a refiner needs a key 'type'; found only: {', '.join(map(str, entry)) or 'nothing'}.")
    return build_refiner(entry["type"], **{key: value for key, value in entry.items() if key != "type"})
