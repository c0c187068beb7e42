"""Random geometry for training: image and label always move together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from paddle_portrait.data.sample import IGNORE, Sample
from paddle_portrait.data.transforms.arguments import check_range, probability
from paddle_portrait.data.transforms.base import Transform
from paddle_portrait.data.transforms.moving import crop_sample, flip_sample, pad_sample, resize_sample, warp_sample
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.geometry import Padded, Size
from paddle_portrait.preprocess.steps import size_pair
from paddle_portrait.registry import TRANSFORMS


class _Flip(Transform):
    """Mirror with a probability; ``_code`` is OpenCV's."""

    _code: int

    def __init__(self, prob: float) -> None:
        self.prob = probability(type(self).__name__, "prob", prob)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Mirror image and label, or return the sample as it is."""
        return flip_sample(sample, self._code) if rng.random() < self.prob else sample


@TRANSFORMS.register()
class RandomHorizontalFlip(_Flip):
    """Mirror left and right with probability ``prob``."""

    _code = 1

    def __init__(self, prob: float = 0.5) -> None:
        super().__init__(prob)


@TRANSFORMS.register()
class RandomVerticalFlip(_Flip):
    """Turn upside down with probability ``prob``."""

    _code = 0

    def __init__(self, prob: float = 0.1) -> None:
        super().__init__(prob)


@TRANSFORMS.register()
class ResizeStepScaling(Transform):
    """Scale by a factor drawn from a ladder of steps.

    Args:
        min_scale_factor: lowest factor.
        max_scale_factor: highest factor.
        scale_step_size: distance of the steps; 0 draws any factor in between.
    """

    def __init__(
        self, min_scale_factor: float = 0.75, max_scale_factor: float = 1.25, scale_step_size: float = 0.25
    ) -> None:
        check_range("ResizeStepScaling", "min_scale_factor", min_scale_factor, "max_scale_factor", max_scale_factor)
        if scale_step_size < 0:
            raise UserError(f"ResizeStepScaling: scale_step_size must be 0 or more, got {scale_step_size}.")
        self.min_scale_factor, self.max_scale_factor = min_scale_factor, max_scale_factor
        self.scale_step_size = scale_step_size

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Scale image and label by one factor."""
        low, high = self.min_scale_factor, self.max_scale_factor
        if self.scale_step_size == 0 or low == high:
            factor = rng.uniform(low, high)
        else:
            steps = int((high - low) / self.scale_step_size + 1 + 1e-9)  # 0.3 / 0.1 is 2.9999999999999996
            factor = rng.choice(np.linspace(low, high, steps))
        height, width = sample.size_hw
        return resize_sample(sample, (max(1, round(height * factor)), max(1, round(width * factor))))


@TRANSFORMS.register()
class ResizeRangeScaling(Transform):
    """Scale the long side to a length drawn from ``min_value..max_value`` pixels, the other in proportion."""

    def __init__(self, min_value: int = 400, max_value: int = 600) -> None:
        check_range("ResizeRangeScaling", "min_value", min_value, "max_value", max_value)
        self.min_value, self.max_value = min_value, max_value

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Scale image and label."""
        long_side = int(rng.uniform(self.min_value, self.max_value) + 0.5)
        height, width = sample.size_hw
        factor = long_side / max(height, width)
        return resize_sample(sample, (max(1, round(height * factor)), max(1, round(width * factor))))


@TRANSFORMS.register()
class RandomPaddingCrop(Transform):
    """Cut out a window at a random place; what is missing is added on the right and at the bottom.

    Args:
        crop_size: width, height.
        im_padding_value: value of the image's border, 0..255.
        label_padding_value: value of the label's border.
        category_max_ratio: below 1, windows are drawn (``loop_times`` at most) until the commonest class fills
            less than this share of the pixels that count.
        ignore_index: label value that does not count.
        loop_times: most draws.
    """

    def __init__(
        self,
        crop_size: Sequence[int] = (512, 512),
        im_padding_value: float = 127.5,
        label_padding_value: int = IGNORE,
        category_max_ratio: float = 1.0,
        ignore_index: int = IGNORE,
        loop_times: int = 10,
    ) -> None:
        self.crop_size = size_pair("RandomPaddingCrop", "crop_size", crop_size)
        if not category_max_ratio > 0:
            raise UserError(f"RandomPaddingCrop: category_max_ratio must be over 0, got {category_max_ratio}.")
        if loop_times < 1:
            raise UserError(f"RandomPaddingCrop: loop_times must be 1 or more, got {loop_times}.")
        self.im_padding_value, self.label_padding_value = im_padding_value, label_padding_value
        self.category_max_ratio, self.ignore_index, self.loop_times = category_max_ratio, ignore_index, loop_times

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the window of image and label."""
        width, height = self.crop_size
        window = crop_sample(sample, *self._choose(sample, rng))
        padded = Padded(window.size_hw, (height, width), (0, 0), self.im_padding_value)
        return pad_sample(window, padded, self.label_padding_value)

    def _choose(self, sample: Sample, rng: np.random.Generator) -> tuple[slice, slice]:
        window = self._draw(sample.size_hw, rng)
        if self.category_max_ratio < 1 and sample.label is not None:
            for _ in range(self.loop_times - 1):
                if self._is_mixed(sample.label[window]):
                    break
                window = self._draw(sample.size_hw, rng)
        return window

    def _draw(self, size_hw: Size, rng: np.random.Generator) -> tuple[slice, slice]:
        width, height = self.crop_size
        top = int(rng.integers(0, max(size_hw[0] - height, 0) + 1))
        left = int(rng.integers(0, max(size_hw[1] - width, 0) + 1))
        return slice(top, top + height), slice(left, left + width)

    def _is_mixed(self, label: np.ndarray) -> bool:
        counting = label[label != self.ignore_index]
        _, counts = np.unique(counting > 0.5 if label.dtype != np.uint8 else counting, return_counts=True)
        return len(counts) > 1 and counts.max() / counts.sum() < self.category_max_ratio


@TRANSFORMS.register()
class RandomCenterCrop(Transform):
    """Cut the borders off by random amounts.

    Args:
        retain_ratio: shares of width and height that remain at least, 0..1.
    """

    def __init__(self, retain_ratio: Sequence[float] = (0.5, 0.5)) -> None:
        if not isinstance(retain_ratio, (list, tuple)) or len(retain_ratio) != 2:
            raise UserError(f"RandomCenterCrop: retain_ratio must be a list [width, height], got {retain_ratio!r}.")
        for share in retain_ratio:
            probability("RandomCenterCrop", "retain_ratio", share)
        self.retain_ratio = tuple(retain_ratio)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the inner part of image and label."""
        (height, width), (keep_width, keep_height) = sample.size_hw, self.retain_ratio
        rows = _inner(height, keep_height, rng)
        columns = _inner(width, keep_width, rng)
        return crop_sample(sample, rows, columns)


@TRANSFORMS.register()
class RandomScaleAspect(Transform):
    """Cut out a window of random area and aspect and stretch it back to the size of the image.

    Args:
        min_scale: smallest share of the area; 0 switches the transform off.
        aspect_ratio: smallest width / height (the largest is its inverse); 0 switches the transform off.
    """

    _DRAWS = 10

    def __init__(self, min_scale: float = 0.5, aspect_ratio: float = 0.33) -> None:
        self.min_scale = probability("RandomScaleAspect", "min_scale", min_scale)
        self.aspect_ratio = probability("RandomScaleAspect", "aspect_ratio", aspect_ratio)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the stretched window, or the sample as it is when none of ten draws fits into it."""
        if self.min_scale == 0 or self.aspect_ratio == 0:
            return sample
        height, width = sample.size_hw
        for _ in range(self._DRAWS):
            area = height * width * rng.uniform(self.min_scale, 1.0)
            aspect = rng.uniform(self.aspect_ratio, 1.0 / self.aspect_ratio)
            size = int(math.sqrt(area / aspect)), int(math.sqrt(area * aspect))
            crop_height, crop_width = size if rng.random() < 0.5 else size[::-1]
            if 0 < crop_height < height and 0 < crop_width < width:
                top = int(rng.integers(0, height - crop_height + 1))
                left = int(rng.integers(0, width - crop_width + 1))
                window = crop_sample(sample, slice(top, top + crop_height), slice(left, left + crop_width))
                return resize_sample(window, (height, width))
        return sample


@TRANSFORMS.register()
class RandomRotation(Transform):
    """Turn by a random angle; the frame grows so that nothing is cut off.

    Args:
        max_rotation: largest angle in degrees, either way.
        im_padding_value: value of the corners of the image, 0..255.
        label_padding_value: value of the corners of the label.
    """

    def __init__(
        self, max_rotation: float = 15, im_padding_value: float = 127.5, label_padding_value: int = IGNORE
    ) -> None:
        self.max_rotation = max_rotation
        self.im_padding_value, self.label_padding_value = im_padding_value, label_padding_value

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Turn image and label by one angle."""
        if self.max_rotation <= 0:
            return sample
        height, width = sample.size_hw
        centre = width // 2, height // 2
        matrix = cv2.getRotationMatrix2D(centre, rng.uniform(-self.max_rotation, self.max_rotation), 1.0)
        cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
        new_width, new_height = max(1, int(height * sin + width * cos)), max(1, int(height * cos + width * sin))
        matrix[:, 2] += new_width / 2 - centre[0], new_height / 2 - centre[1]
        return warp_sample(sample, matrix, (new_width, new_height), self.im_padding_value, self.label_padding_value)


@TRANSFORMS.register()
class RandomAffine(Transform):
    """Turn, scale and shift in one go, into a frame of a given size.

    Args:
        size: width, height of the result.
        translation_offset: largest shift of the centre of rotation, in pixels, either way.
        max_rotation: largest angle in degrees, either way.
        min_scale_factor: lowest scale; 1 stretches the image (by the mean of both ratios) to ``size``.
        max_scale_factor: highest scale.
        im_padding_value: value of uncovered pixels of the image, 0..255.
        label_padding_value: value of uncovered pixels of the label.
    """

    def __init__(
        self,
        size: Sequence[int] = (224, 224),
        translation_offset: float = 0,
        max_rotation: float = 15,
        min_scale_factor: float = 0.75,
        max_scale_factor: float = 1.25,
        im_padding_value: float = 128,
        label_padding_value: int = IGNORE,
    ) -> None:
        self.size = size_pair("RandomAffine", "size", size)
        check_range("RandomAffine", "min_scale_factor", min_scale_factor, "max_scale_factor", max_scale_factor)
        self.translation_offset, self.max_rotation = translation_offset, max_rotation
        self.min_scale_factor, self.max_scale_factor = min_scale_factor, max_scale_factor
        self.im_padding_value, self.label_padding_value = im_padding_value, label_padding_value

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Move image and label by one matrix."""
        matrix = self._matrix(sample.size_hw, rng)
        return warp_sample(sample, matrix, self.size, self.im_padding_value, self.label_padding_value)

    def _matrix(self, size_hw: Size, rng: np.random.Generator) -> np.ndarray:
        width, height = self.size
        right, bottom = max(size_hw[1] - 1, 1), max(size_hw[0] - 1, 1)
        centre_x, centre_y = np.array([width, height]) / 2 + rng.uniform(-1, 1, 2) * self.translation_offset
        angle = math.radians(rng.uniform(-self.max_rotation, self.max_rotation))
        scale = rng.uniform(self.min_scale_factor, self.max_scale_factor) * (width / right + height / bottom) / 2
        alpha, beta = scale * math.cos(angle), scale * math.sin(angle)
        turn = np.array(
            [
                [alpha, beta, (1 - alpha) * centre_x - beta * centre_y],
                [-beta, alpha, beta * centre_x + (1 - alpha) * centre_y],
            ]
        )
        to_middle = np.array(
            [[1.0, 0, (width - size_hw[1] + 1) / 2], [0, 1.0, (height - size_hw[0] + 1) / 2], [0, 0, 1]]
        )
        return turn @ to_middle


@TRANSFORMS.register()
class ScalePadding(Transform):
    """Centre the image in a square of its long side, then scale it to a size.

    Args:
        target_size: width, height.
        im_padding_value: value of the image's border, 0..255.
        label_padding_value: value of the label's border.
    """

    def __init__(
        self,
        target_size: Sequence[int] = (512, 512),
        im_padding_value: float = 127.5,
        label_padding_value: int = IGNORE,
    ) -> None:
        self.target_size = size_pair("ScalePadding", "target_size", target_size)
        self.im_padding_value, self.label_padding_value = im_padding_value, label_padding_value

    @property
    def random(self) -> bool:
        """False: nothing is drawn."""
        return False

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Square and scale image and label."""
        height, width = sample.size_hw
        long_side = max(height, width)
        offset = (long_side - height) // 2, (long_side - width) // 2
        padded = Padded((height, width), (long_side, long_side), offset, self.im_padding_value)
        squared = pad_sample(sample, padded, self.label_padding_value)
        return resize_sample(squared, self.target_size[::-1], cv2.INTER_CUBIC)


def _inner(length: int, keep: float, rng: np.random.Generator) -> slice:
    cut = int(rng.integers(0, max(1, int(length * (1 - keep)) + 1)))
    cut = min(cut, length - 1)
    start = int(rng.integers(0, cut + 1))
    return slice(start, start + length - cut)
