"""What is done with a portrait mask: plain functions of image, person probability and background.

They know no network, hold no state between calls and leave their arguments as they are.
"""

from __future__ import annotations

# Imported so that their effects and refiners are in the registries.
from paddle_portrait.effects import edges, replace  # noqa: F401
from paddle_portrait.effects.background import fit_background
from paddle_portrait.effects.composite import alpha_blend, blend_uint8, to_alpha
from paddle_portrait.effects.effect import EFFECTS, Effect, build_effect, describe_effects, effect_kind
from paddle_portrait.effects.options import split_assignments
from paddle_portrait.effects.refiner import REFINERS, Refiner, build_refiner, describe_refiners

__all__ = [
    "EFFECTS",
    "REFINERS",
    "Effect",
    "Refiner",
    "alpha_blend",
    "blend_uint8",
    "build_effect",
    "build_refiner",
    "describe_effects",
    "describe_refiners",
    "effect_kind",
    "fit_background",
    "split_assignments",
    "to_alpha",
]
