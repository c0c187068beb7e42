"""Transforms of samples, those of PaddleSeg under its names; importing this module registers them."""

from __future__ import annotations

from paddle_portrait.data.transforms.backgrounds import RandomBackground
from paddle_portrait.data.transforms.base import Transform
from paddle_portrait.data.transforms.camera import JpegArtefacts, MotionBlur, RandomSharpness
from paddle_portrait.data.transforms.curves import RandomCurve, WarmCoolFilter
from paddle_portrait.data.transforms.lighting import LowLight, RandomShade
from paddle_portrait.data.transforms.photometric import RandomBlur, RandomDistort, RandomNoise
from paddle_portrait.data.transforms.pipeline import Pipeline
from paddle_portrait.data.transforms.portraitnet import PortraitDeformation, PortraitTexture
from paddle_portrait.data.transforms.prior import SimulatePrior
from paddle_portrait.data.transforms.second_person import RandomSecondPerson
from paddle_portrait.data.transforms.shared import (
    LimitLong,
    Normalize,
    Padding,
    PaddingByAspectRatio,
    Resize,
    ResizeByLong,
    ResizeByShort,
)
from paddle_portrait.data.transforms.slim_net import SlimNetAugmentation
from paddle_portrait.data.transforms.spatial import (
    RandomAffine,
    RandomCenterCrop,
    RandomHorizontalFlip,
    RandomPaddingCrop,
    RandomRotation,
    RandomScaleAspect,
    RandomVerticalFlip,
    ResizeRangeScaling,
    ResizeStepScaling,
    ScalePadding,
)

__all__ = [
    "JpegArtefacts",
    "LimitLong",
    "LowLight",
    "MotionBlur",
    "Normalize",
    "Padding",
    "PaddingByAspectRatio",
    "Pipeline",
    "PortraitDeformation",
    "PortraitTexture",
    "RandomAffine",
    "RandomBackground",
    "RandomBlur",
    "RandomCenterCrop",
    "RandomCurve",
    "RandomDistort",
    "RandomHorizontalFlip",
    "RandomNoise",
    "RandomPaddingCrop",
    "RandomRotation",
    "RandomScaleAspect",
    "RandomSecondPerson",
    "RandomShade",
    "RandomSharpness",
    "RandomVerticalFlip",
    "Resize",
    "ResizeByLong",
    "ResizeByShort",
    "ResizeRangeScaling",
    "ResizeStepScaling",
    "ScalePadding",
    "SimulatePrior",
    "SlimNetAugmentation",
    "Transform",
    "WarmCoolFilter",
]
