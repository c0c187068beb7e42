"""Transforms of samples, under PaddleSeg's names; importing this module registers them."""

from __future__ import annotations

from paddle_portrait.data.transforms.base import Transform
from paddle_portrait.data.transforms.photometric import RandomBlur, RandomDistort, RandomNoise
from paddle_portrait.data.transforms.pipeline import Pipeline
from paddle_portrait.data.transforms.shared import (
    LimitLong,
    Normalize,
    Padding,
    PaddingByAspectRatio,
    Resize,
    ResizeByLong,
    ResizeByShort,
)
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
    "LimitLong",
    "Normalize",
    "Padding",
    "PaddingByAspectRatio",
    "Pipeline",
    "RandomAffine",
    "RandomBlur",
    "RandomCenterCrop",
    "RandomDistort",
    "RandomHorizontalFlip",
    "RandomNoise",
    "RandomPaddingCrop",
    "RandomRotation",
    "RandomScaleAspect",
    "RandomVerticalFlip",
    "Resize",
    "ResizeByLong",
    "ResizeByShort",
    "ResizeRangeScaling",
    "ResizeStepScaling",
    "ScalePadding",
    "Transform",
]
