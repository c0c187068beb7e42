"""The geometric steps that both roads use, as transforms of image and label; arguments as in ``preprocess.steps``."""

from __future__ import annotations

from paddle_portrait.data.transforms.base import StepTransform
from paddle_portrait.preprocess import steps
from paddle_portrait.registry import TRANSFORMS

Normalize = TRANSFORMS.register()(steps.Normalize)


@TRANSFORMS.register()
class Resize(steps.Resize, StepTransform):
    """Scale image and label to a size (see :class:`paddle_portrait.preprocess.Resize`)."""


@TRANSFORMS.register()
class ResizeByLong(steps.ResizeByLong, StepTransform):
    """Scale the long side to a size (see :class:`paddle_portrait.preprocess.ResizeByLong`)."""


@TRANSFORMS.register()
class ResizeByShort(steps.ResizeByShort, StepTransform):
    """Scale the short side to a size (see :class:`paddle_portrait.preprocess.ResizeByShort`)."""


@TRANSFORMS.register()
class LimitLong(steps.LimitLong, StepTransform):
    """Bound the long side (see :class:`paddle_portrait.preprocess.LimitLong`)."""


@TRANSFORMS.register()
class Padding(steps.Padding, StepTransform):
    """Add a border on the right and at the bottom (see :class:`paddle_portrait.preprocess.Padding`)."""


@TRANSFORMS.register()
class PaddingByAspectRatio(steps.PaddingByAspectRatio, StepTransform):
    """Add a border up to an aspect ratio (see :class:`paddle_portrait.preprocess.PaddingByAspectRatio`)."""
