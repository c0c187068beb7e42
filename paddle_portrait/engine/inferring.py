"""From a batch of network inputs to class probabilities: plain, with flips and scales, or by sliding windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from paddle_portrait.errors import UserError

if TYPE_CHECKING:
    import paddle


@dataclass(frozen=True)
class PredictOptions:
    """How a batch is run through the network; names and meanings are those of PaddleSeg's ``test_config``.

    Attributes:
        aug_eval: average the probabilities over ``scales`` and flips.
        scales: factors of the network's input size; (1.0,) for none.
        flip_horizontal: with ``aug_eval``, also the mirrored input.
        flip_vertical: with ``aug_eval``, also the input upside down.
        is_slide: run windows of ``crop_size`` every ``stride`` pixels and average where they overlap.
        crop_size: (width, height) of a window.
        stride: (width, height) between windows.

    Raises:
        UserError: an option that would have no effect, or one that is missing or out of range.
    """

    aug_eval: bool = False
    scales: tuple[float, ...] = (1.0,)
    flip_horizontal: bool = False
    flip_vertical: bool = False
    is_slide: bool = False
    crop_size: tuple[int, int] | None = None
    stride: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        scales = self.scales if isinstance(self.scales, Sequence) else (self.scales,)
        object.__setattr__(self, "scales", tuple(float(scale) for scale in scales))
        object.__setattr__(self, "crop_size", _pair("crop_size", self.crop_size))
        object.__setattr__(self, "stride", _pair("stride", self.stride))
        if not self.scales or min(self.scales) <= 0:
            raise UserError(f"scales must be numbers above 0, not {list(self.scales)}.")
        self._refuse_idle_options()
        if self.is_slide:
            crop, stride = self.windows()
            if stride[0] > crop[0] or stride[1] > crop[1]:
                raise UserError(f"stride {stride} is larger than crop_size {crop}: pixels would be left out.")

    def windows(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return ``crop_size`` and ``stride``, which sliding windows need both."""
        if self.crop_size is None or self.stride is None:
            raise UserError("is_slide needs crop_size and stride, each as width height.")
        return self.crop_size, self.stride

    def _refuse_idle_options(self) -> None:
        flips = {"flip_horizontal": self.flip_horizontal, "flip_vertical": self.flip_vertical}
        idle = [] if self.aug_eval else [name for name, value in flips.items() if value]
        if not self.aug_eval and self.scales != (1.0,):
            idle.insert(0, "scales")
        if idle:
            raise UserError(f"{', '.join(idle)} would have no effect without aug_eval: add it, or leave them out.")
        if not self.is_slide and (self.crop_size or self.stride):
            raise UserError("crop_size and stride would have no effect without is_slide: add it, or leave them out.")

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any]) -> PredictOptions:
        """Build from PaddleSeg's ``test_config`` or parsed flags; None means "not given".

        Raises:
            UserError: an unknown key, or what the constructor refuses.
        """
        unknown = sorted(set(options) - set(cls.__dataclass_fields__))
        if unknown:
            raise UserError(
                f"test_config: unknown key(s) {', '.join(unknown)}. Allowed: {', '.join(cls.__dataclass_fields__)}."
            )
        return cls(**{name: value for name, value in options.items() if value is not None})


@contextmanager
def eval_mode(model: paddle.nn.Layer) -> Iterator[None]:
    """Put ``model`` into evaluation mode without gradients; afterwards every layer has its own mode again."""
    import paddle

    modes = [(layer, layer.training) for layer in model.sublayers(include_self=True)]
    model.eval()
    try:
        with paddle.no_grad():
            yield
    finally:
        for layer, training in modes:
            layer.training = training


def class_probabilities(
    model: paddle.nn.Layer, images: paddle.Tensor, options: PredictOptions | None = None
) -> np.ndarray:
    """Run ``images`` through ``model`` in evaluation mode and return the classes' probabilities.

    Args:
        model: any network of this package or of PaddleSeg. One logit per pixel is read as the person's
            (sigmoid), several as classes (softmax).
        images: float32 (N, C, h, w), preprocessed.
        options: flips, scales, sliding windows; None for none of them.

    Returns:
        float32 (N, classes, h, w), at least two classes, background first.
    """
    with eval_mode(model):
        return _augmented(model, images, options or PredictOptions()).astype("float32").numpy()


def person_probability(
    model: paddle.nn.Layer, images: paddle.Tensor, options: PredictOptions | None = None
) -> np.ndarray:
    """Like :func:`class_probabilities`, but only the probability of "not background": float32 (N, h, w)."""
    return person_of(class_probabilities(model, images, options))


def person_of(probabilities: np.ndarray) -> np.ndarray:
    """Return the person's (N, h, w) probability of (N, classes, h, w): class 1 of two, else all but class 0."""
    return probabilities[:, 1] if probabilities.shape[1] == 2 else 1.0 - probabilities[:, 0]


def _augmented(model: paddle.nn.Layer, images: paddle.Tensor, options: PredictOptions) -> paddle.Tensor:
    """Average the probabilities over scales and flips, each brought back to the input's place and size."""
    if not options.aug_eval:
        return _probabilities(model, images, options)
    size_hw = images.shape[2:]
    flips: list[list[int]] = [[]]
    if options.flip_horizontal:
        flips += [[*axes, 3] for axes in flips]
    if options.flip_vertical:
        flips += [[*axes, 2] for axes in flips]
    total = 0.0
    for scale in options.scales:
        scaled = _resized(images, [max(1, round(side * scale)) for side in size_hw])
        for axes in flips:
            probabilities = _probabilities(model, scaled.flip(axes) if axes else scaled, options)
            total = total + _resized(probabilities.flip(axes) if axes else probabilities, size_hw)
    return total / (len(options.scales) * len(flips))


def _probabilities(model: paddle.nn.Layer, images: paddle.Tensor, options: PredictOptions) -> paddle.Tensor:
    import paddle
    import paddle.nn.functional as F

    logits = _slide(model, images, options) if options.is_slide else _logits(model, images)
    if logits.shape[1] == 1:
        person = F.sigmoid(logits)
        return paddle.concat([1.0 - person, person], axis=1)
    return F.softmax(logits, axis=1)


def _slide(model: paddle.nn.Layer, images: paddle.Tensor, options: PredictOptions) -> paddle.Tensor:
    """Average the logits of overlapping windows, the last ones flush with the right and lower edges."""
    import paddle

    height, width = images.shape[2:]
    (crop_w, crop_h), (stride_w, stride_h) = options.windows()
    total, count = None, paddle.zeros([1, 1, height, width])
    for top in _window_starts(height, crop_h, stride_h):
        for left in _window_starts(width, crop_w, stride_w):
            rows, columns = slice(top, min(top + crop_h, height)), slice(left, min(left + crop_w, width))
            logits = _logits(model, images[:, :, rows, columns]).astype("float32")
            if total is None:
                total = paddle.zeros([logits.shape[0], logits.shape[1], height, width])
            total[:, :, rows, columns] += logits
            count[:, :, rows, columns] += 1.0
    return total / count


def _window_starts(length: int, crop: int, stride: int) -> list[int]:
    last = max(length - crop, 0)
    return [*range(0, last, stride), last]


def _logits(model: paddle.nn.Layer, images: paddle.Tensor) -> paddle.Tensor:
    from paddle_portrait.models.output import as_seg_output

    return _resized(as_seg_output(model(images)).logits, images.shape[2:])


def _resized(tensor: paddle.Tensor, size_hw: Sequence[int]) -> paddle.Tensor:
    import paddle.nn.functional as F

    if list(tensor.shape[2:]) == list(size_hw):
        return tensor
    return F.interpolate(tensor, list(size_hw), mode="bilinear", align_corners=False)


def _pair(name: str, value: Sequence[int] | int | None) -> tuple[int, int] | None:
    if value is None:
        return None
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(side, int) and side > 0 for side in pair):
        raise UserError(f"{name} must be two whole numbers above 0, width height, not {value}.")
    return pair
