"""What is done with a portrait mask: plain functions of image, person probability and background.

They know no network, hold no state between calls and leave their arguments as they are.
"""

from __future__ import annotations

# Imported so that their effects and refiners are in the registries.
from paddle_portrait.effects import blur, cleanup, clone, color_transfer, edges, grabcut, harmonize, replace  # noqa: F401
from paddle_portrait.effects.background import fit_background
from paddle_portrait.effects.composite import alpha_blend, blend_uint8, to_alpha
from paddle_portrait.effects.effect import EFFECTS, Effect, build_effect, describe_effects, effect_kind
from paddle_portrait.effects.foreground import estimate_foreground
from paddle_portrait.effects.guided import guided_upsample
from paddle_portrait.effects.options import split_assignments
from paddle_portrait.effects.plate import background_plate
from paddle_portrait.effects.refiner import REFINERS, Refiner, build_refiner, describe_refiners
from paddle_portrait.effects.subtraction import BackgroundSubtractor

__all__ = [
    "EFFECTS",
    "REFINERS",
    "BackgroundSubtractor",
    "Effect",
    "Refiner",
    "alpha_blend",
    "background_plate",
    "blend_uint8",
    "build_effect",
    "build_refiner",
    "describe_effects",
    "describe_refiners",
    "effect_kind",
    "estimate_foreground",
    "fit_background",
    "guided_upsample",
    "split_assignments",
    "to_alpha",
]
