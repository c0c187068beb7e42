"""What is done to a person probability before it is used: the refiners by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from paddle_portrait.effects.arrays import checked_image, checked_person
from paddle_portrait.effects.options import Option, check_options, options_of
from paddle_portrait.registry import Registry

REFINERS = Registry("refiner", ("paddle_portrait.effects",))


# What is registered: a function of image and person probability, both checked, with keyword options. It returns the
# better probability, float32 H×W in [0, 1], and leaves its arguments alone.
RefinerFunction = Callable[..., np.ndarray]


@dataclass(frozen=True)
class RefinerKind:
    """A refiner by name, before its options are chosen; calling it builds the refiner."""

    name: str
    function: RefinerFunction
    summary: str

    @property
    def options(self) -> tuple[Option, ...]:
        """What may be chosen."""
        return options_of(self.function)

    def __call__(self, **options: Any) -> Refiner:
        """Build the refiner with these options (the others keep their defaults)."""
        return Refiner(self, check_options(f"refiner '{self.name}'", self.options, options))


@dataclass(frozen=True)
class Refiner:
    """Maps an image and its person probability to a better one; holds no state between calls."""

    kind: RefinerKind
    options: Mapping[str, Any]

    def __call__(self, image_rgb: np.ndarray, person_prob: np.ndarray) -> np.ndarray:
        """Return the refined probability; the arguments stay as they are.

        Args:
            image_rgb: uint8 H×W×3.
            person_prob: H×W floating point; what lies outside [0, 1] is clipped.

        Returns:
            float32 H×W in [0, 1].

        Raises:
            UserError: a wrong type or size.
        """
        image = checked_image(image_rgb, "the image")
        return self.kind.function(image, checked_person(person_prob, image.shape[:2]), **self.options)


def refiner(name: str) -> Callable[[RefinerFunction], RefinerFunction]:
    """Decorate a function to register it as a refiner; the first line of its docstring is the summary."""

    def decorate(function: RefinerFunction) -> RefinerFunction:
        summary = (function.__doc__ or "").strip().splitlines()[0]
        REFINERS.register(name)(RefinerKind(name, function, summary))
        return function

    return decorate


def build_refiner(name: str, /, **options: Any) -> Refiner:
    """Make a refiner: one of ``REFINERS.names()``, with options as values or as texts.

    Raises:
        UserError: an unknown name, or a value that is not allowed.
    """
    return REFINERS.build(name, **options)


def describe_refiners() -> list[dict[str, Any]]:
    """Return all refiners as JSON-able values: name, summary and options."""
    kinds = [cast(RefinerKind, REFINERS.get(name)) for name in REFINERS.names()]
    return [
        {"name": kind.name, "summary": kind.summary, "options": [option.to_dict() for option in kind.options]}
        for kind in kinds
    ]
