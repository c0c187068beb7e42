"""The geometric steps that both roads use, as transforms of image and label; arguments as in ``preprocess.steps``."""

from __future__ import annotations

from paddle_portrait.data.transforms.base import StepTransform
from paddle_portrait.preprocess import steps
from paddle_portrait.registry import TRANSFORMS

Normalize = TRANSFORMS.register()(steps.Normalize)


@TRANSFORMS.register()
class Resize(steps.Resize, StepTransform):
    """Scale image and label to a size (see :class:`paddle_portrait.preprocess.Resize`)."""

    @property
    def random(self) -> bool:  # type: ignore[override]
        """Whether the interpolation is drawn for each image."""
        return self.interp == "RANDOM"


@TRANSFORMS.register()
class ResizeByLong(steps.ResizeByLong, StepTransform):
    """Scale the long side to a size (see :class:`paddle_portrait.preprocess.ResizeByLong`)."""

    random = False


@TRANSFORMS.register()
class ResizeByShort(steps.ResizeByShort, StepTransform):
    """Scale the short side to a size (see :class:`paddle_portrait.preprocess.ResizeByShort`)."""

    @property
    def random(self) -> bool:  # type: ignore[override]
        """Whether the size is drawn for each image."""
        return len(self.sizes) > 1


@TRANSFORMS.register()
class LimitLong(steps.LimitLong, StepTransform):
    """Bound the long side (see :class:`paddle_portrait.preprocess.LimitLong`)."""

    random = False


@TRANSFORMS.register()
class Padding(steps.Padding, StepTransform):
    """Add a border on the right and at the bottom (see :class:`paddle_portrait.preprocess.Padding`)."""

    random = False


@TRANSFORMS.register()
class PaddingByAspectRatio(steps.PaddingByAspectRatio, StepTransform):
    """Add a border up to an aspect ratio (see :class:`paddle_portrait.preprocess.PaddingByAspectRatio`)."""

    random = False
