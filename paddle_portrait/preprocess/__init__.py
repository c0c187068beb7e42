"""Reading images, and the geometry and normalisation that training and inference share (numpy, OpenCV, Pillow)."""

from __future__ import annotations

from paddle_portrait.preprocess.geometry import Geometry
from paddle_portrait.preprocess.image_io import read_image, read_mask, write_image
from paddle_portrait.preprocess.pipeline import Preprocess
from paddle_portrait.preprocess.steps import (
    LimitLong,
    Normalize,
    Padding,
    PaddingByAspectRatio,
    Resize,
    ResizeByLong,
    ResizeByShort,
)

__all__ = [
    "Geometry",
    "LimitLong",
    "Normalize",
    "Padding",
    "PaddingByAspectRatio",
    "Preprocess",
    "Resize",
    "ResizeByLong",
    "ResizeByShort",
    "read_image",
    "read_mask",
    "write_image",
]
