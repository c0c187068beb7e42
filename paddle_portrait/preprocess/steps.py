"""The steps of a preprocessing, under PaddleSeg's names and with its arguments (sizes are width, height).

Each geometric step turns the size of an image into an operation; applying and undoing are in ``geometry``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Protocol

import cv2
import numpy as np

from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.preprocess.geometry import Operation, Padded, Resized, Size

INTERPOLATIONS = {
    "NEAREST": cv2.INTER_NEAREST,
    "LINEAR": cv2.INTER_LINEAR,
    "CUBIC": cv2.INTER_CUBIC,
    "AREA": cv2.INTER_AREA,
    "LANCZOS4": cv2.INTER_LANCZOS4,
}
COLOURS = ("rgb", "bgr", "gray")


class Step(Protocol):
    """A geometric step.

    Attributes:
        random: whether chance has a say, so that the step is for training only.
    """

    @property
    def random(self) -> bool: ...

    def plan(self, size_hw: Size, rng: np.random.Generator | None = None) -> Operation:
        """Return what is to be done with an image of ``size_hw``; random steps need ``rng``."""
        ...

    def fixed_hw(self, before: Size | None) -> Size | None:
        """Return the size after this step where it is the same for every image, else None."""
        ...


class Resize:
    """Scale to a size.

    Args:
        target_size: width, height.
        keep_ratio: fit within ``target_size`` (long side to long side) without distortion.
        size_divisor: round both sides up to its multiples.
        interp: NEAREST, LINEAR, CUBIC, AREA, LANCZOS4, or RANDOM (training only).
    """

    def __init__(
        self,
        target_size: Sequence[int] = (512, 512),
        keep_ratio: bool = False,
        size_divisor: int | None = None,
        interp: str = "LINEAR",
    ) -> None:
        self.target_size = size_pair("Resize", "target_size", target_size)
        if interp not in INTERPOLATIONS and interp != "RANDOM":
            raise UserError(f"Resize: {describe_unknown('interp', str(interp), [*INTERPOLATIONS, 'RANDOM'])}")
        if size_divisor is not None and (not isinstance(size_divisor, int) or size_divisor < 1):
            raise UserError(f"Resize: size_divisor must be a whole number from 1 on, got {size_divisor!r}.")
        self.keep_ratio, self.size_divisor, self.interp = keep_ratio, size_divisor, interp

    @property
    def random(self) -> bool:
        """Whether the interpolation is drawn for each image."""
        return self.interp == "RANDOM"

    def plan(self, size_hw: Size, rng: np.random.Generator | None = None) -> Resized:
        """Return the scaling of an image of ``size_hw``."""
        name = str((rng or _ANY_RNG).choice(list(INTERPOLATIONS))) if self.random else self.interp
        width, height = self.target_size
        if self.keep_ratio:
            long, short = max(self.target_size), min(self.target_size)
            scale = min(long / max(size_hw), short / min(size_hw))
            height, width = _scaled(size_hw, scale)
        if self.size_divisor:
            height, width = (math.ceil(side / self.size_divisor) * self.size_divisor for side in (height, width))
        return Resized(size_hw, (height, width), INTERPOLATIONS[name])

    def fixed_hw(self, before: Size | None) -> Size | None:
        """Return the target's height and width unless the ratio is kept."""
        return None if self.keep_ratio and before is None else self.plan(before or (1, 1)).after


class ResizeByLong:
    """Scale the long side to ``long_size`` pixels, the other in proportion."""

    random = False

    def __init__(self, long_size: int) -> None:
        self.long_size = positive("ResizeByLong", "long_size", long_size)

    def plan(self, size_hw: Size, rng: np.random.Generator | None = None) -> Resized:
        """Return the scaling of an image of ``size_hw``."""
        return Resized(size_hw, _scaled(size_hw, self.long_size / max(size_hw)))

    def fixed_hw(self, before: Size | None) -> Size | None:
        """Return the size after this step where the size before is known."""
        return before and self.plan(before).after


class ResizeByShort:
    """Scale the short side to ``short_size`` pixels, the other in proportion.

    Args:
        short_size: pixels; a list of sizes is drawn from anew for every image (training only).
        max_size: bound of the long side.
    """

    def __init__(self, short_size: int | list[int], max_size: float = 1e10) -> None:
        sizes = short_size if isinstance(short_size, list) else [short_size]
        if not sizes:
            raise UserError("ResizeByShort: short_size is an empty list; give one size or several.")
        self.short_size = short_size
        self.sizes = [positive("ResizeByShort", "short_size", size) for size in sizes]
        self.max_size = max_size

    @property
    def random(self) -> bool:
        """Whether the size is drawn for each image."""
        return len(self.sizes) > 1

    def plan(self, size_hw: Size, rng: np.random.Generator | None = None) -> Resized:
        """Return the scaling of an image of ``size_hw``."""
        short = int((rng or _ANY_RNG).choice(self.sizes)) if self.random else self.sizes[0]
        if short / min(size_hw) * max(size_hw) > self.max_size:
            short = max(1, int(self.max_size / max(size_hw) * min(size_hw)))
        return Resized(size_hw, _scaled(size_hw, short / min(size_hw)))

    def fixed_hw(self, before: Size | None) -> Size | None:
        """Return the size after this step where the size before is known."""
        return before and self.plan(before).after


class LimitLong:
    """Scale in proportion where the long side is over ``max_long`` or under ``min_long`` pixels."""

    random = False

    def __init__(self, max_long: int | None = None, min_long: int | None = None) -> None:
        self.max_long = None if max_long is None else positive("LimitLong", "max_long", max_long)
        self.min_long = None if min_long is None else positive("LimitLong", "min_long", min_long)
        if self.max_long and self.min_long and self.min_long > self.max_long:
            raise UserError(f"LimitLong: min_long {min_long} is larger than max_long {max_long}.")

    def plan(self, size_hw: Size, rng: np.random.Generator | None = None) -> Resized:
        """Return the scaling of an image of ``size_hw`` (to its own size where nothing is to be done)."""
        long = max(size_hw)
        target = min(max(long, self.min_long or long), self.max_long or max(long, self.min_long or long))
        return Resized(size_hw, size_hw if target == long else _scaled(size_hw, target / long))

    def fixed_hw(self, before: Size | None) -> Size | None:
        """Return the size after this step where the size before is known."""
        return before and self.plan(before).after


class Padding:
    """Add a border on the right and at the bottom.

    Args:
        target_size: width, height after it.
        im_padding_value: value of the image's border, 0..255.
        label_padding_value: value of the label's border; 255 is ignored by losses and metrics.
    """

    random = False

    def __init__(
        self, target_size: Sequence[int], im_padding_value: float = 127.5, label_padding_value: int = 255
    ) -> None:
        self.target_size = size_pair("Padding", "target_size", target_size)
        self.im_padding_value, self.label_padding_value = im_padding_value, label_padding_value

    def plan(self, size_hw: Size, rng: np.random.Generator | None = None) -> Padded:
        """Return the border of an image of ``size_hw``.

        Raises:
            UserError: the image is larger than the target.
        """
        width, height = self.target_size
        if size_hw[0] > height or size_hw[1] > width:
            raise UserError(
                f"Padding: the image (height {size_hw[0]}, width {size_hw[1]}) is larger than the target "
                f"(height {height}, width {width}). Put a Resize or LimitLong before it."
            )
        return Padded(size_hw, (height, width), (0, 0), self.im_padding_value)

    def fixed_hw(self, before: Size | None) -> Size | None:
        """Return the target's height and width."""
        return self.target_size[1], self.target_size[0]


class PaddingByAspectRatio:
    """Add a border on the right or at the bottom so that width / height is ``aspect_ratio``."""

    random = False

    def __init__(
        self, aspect_ratio: float = 1, im_padding_value: float = 127.5, label_padding_value: int = 255
    ) -> None:
        if not aspect_ratio > 0:
            raise UserError(f"PaddingByAspectRatio: aspect_ratio must be over 0, got {aspect_ratio}.")
        self.aspect_ratio = aspect_ratio
        self.im_padding_value, self.label_padding_value = im_padding_value, label_padding_value

    def plan(self, size_hw: Size, rng: np.random.Generator | None = None) -> Padded:
        """Return the border of an image of ``size_hw``."""
        height, width = size_hw
        if width / height > self.aspect_ratio:
            height = max(height, int(width / self.aspect_ratio))
        else:
            width = max(width, int(height * self.aspect_ratio))
        return Padded(size_hw, (height, width), (0, 0), self.im_padding_value)

    def fixed_hw(self, before: Size | None) -> Size | None:
        """Return the size after this step where the size before is known."""
        return before and self.plan(before).after


class Normalize:
    """``(value / max_value - mean) / std`` for each channel, on a whole uint8 image or batch at once.

    Args:
        mean: one value, or one a channel in the order of ``colour``.
        std: likewise; never 0.
        colour: what the network sees: ``rgb``, ``bgr`` or ``gray`` (one channel).
        max_value: 255 brings values to 0..1 before ``mean`` and ``std``; 1 leaves them 0..255.
    """

    def __init__(
        self,
        mean: Sequence[float] = (0.5,),
        std: Sequence[float] = (0.5,),
        colour: Literal["rgb", "bgr", "gray"] = "rgb",
        max_value: float = 255.0,
    ) -> None:
        if colour not in COLOURS:
            raise UserError("Normalize: " + describe_unknown("colour order", str(colour), COLOURS))
        allowed = (1,) if colour == "gray" else (1, 3)
        for name, values in (("mean", mean), ("std", std)):
            if not isinstance(values, (list, tuple)) or len(values) not in allowed:
                counts = " or ".join(map(str, allowed))
                raise UserError(f"Normalize: {name} must be a list of {counts} numbers for {colour}, got {values!r}.")
        if 0 in std:
            raise UserError(f"Normalize: std must not hold 0, got {list(std)}.")
        if isinstance(max_value, bool) or not max_value > 0:
            raise UserError(f"Normalize: max_value must be a number above 0, got {max_value!r}.")
        self.mean, self.std = tuple(map(float, mean)), tuple(map(float, std))
        self.colour, self.max_value = colour, float(max_value)

    def apply(self, images: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """Turn uint8 N×H×W×C (or a list of N images of one size) into float32 N×C×H×W; channels keep their order."""
        return channels_first(images, [self.table(channel) for channel in range(images[0].shape[2])])

    def table(self, channel: int) -> np.ndarray:
        """Return the float32 value of each of the 256 levels of ``channel``."""
        # Doubles within, rounded after each operation: bit for bit what PaddleSeg's numpy code gives.
        mean, std = (np.float64(values[channel if len(values) > 1 else 0]) for values in (self.mean, self.std))
        levels = np.arange(256, dtype=np.float32) / np.float32(self.max_value)
        return ((levels - mean).astype(np.float32) / std).astype(np.float32)

    def undo(self, images: np.ndarray) -> np.ndarray:
        """Return uint8 N×H×W×3 RGB for float32 N×3×H×W that were ordered and normalised so; exact."""
        column = (-1, 1, 1)
        mean, std = np.reshape(self.mean, column), np.reshape(self.std, column)
        levels = np.rint((images * std + mean) * self.max_value)
        pixels = np.clip(levels, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(pixels[..., ::-1] if self.colour == "bgr" else pixels)


def channels_first(images: np.ndarray | Sequence[np.ndarray], tables: Sequence[np.ndarray]) -> np.ndarray:
    """Look up uint8 N×H×W×C in one table of 256 float32 values a channel; returns float32 N×C×H×W."""
    height, width, channels = images[0].shape
    batch = np.empty((len(images), channels, height, width), np.float32)
    for image, target in zip(images, batch, strict=True):
        # Split first: bytes are a quarter of the floats.
        for plane, table, looked_up in zip(cv2.split(image), tables, target, strict=True):
            cv2.LUT(plane, table, dst=looked_up)
    return batch


def size_pair(owner: str, argument: str, value: Sequence[int]) -> tuple[int, int]:
    """Check a (width, height) argument and return it as a tuple of ints."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise UserError(f"{owner}: {argument} must be a list [width, height], got {value!r}.")
    return positive(owner, argument, value[0]), positive(owner, argument, value[1])


def positive(owner: str, argument: str, value: int) -> int:
    """Check that ``value`` is a whole number from 1 on."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise UserError(f"{owner}: {argument} must be a whole number of pixels from 1 on, got {value!r}.")
    return int(value)


def _scaled(size_hw: Size, scale: float) -> Size:
    return max(1, round(size_hw[0] * scale)), max(1, round(size_hw[1] * scale))


_ANY_RNG = np.random.default_rng(0)  # where only the size of a plan is asked for
