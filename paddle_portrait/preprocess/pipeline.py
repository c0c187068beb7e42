"""From an image to the network's tensor, described so that every runner can repeat it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.preprocess import steps as steps_module
from paddle_portrait.preprocess.geometry import Geometry, Operation, Resized, Size
from paddle_portrait.preprocess.steps import Normalize, Step, channels_first

VERSION = 1
_STEPS: dict[str, type] = {
    name: getattr(steps_module, name)
    for name in ("Resize", "ResizeByLong", "ResizeByShort", "LimitLong", "Padding", "PaddingByAspectRatio")
}
_ARGUMENTS = {
    "Resize": ("target_size", "keep_ratio", "size_divisor", "interp"),
    "ResizeByLong": ("long_size",),
    "ResizeByShort": ("short_size", "max_size"),
    "LimitLong": ("max_long", "min_long"),
    "Padding": ("target_size", "im_padding_value"),
    "PaddingByAspectRatio": ("aspect_ratio", "im_padding_value"),
}


_UNTOUCHED = {"mean": [0.0], "std": [1.0], "colour": "rgb"}


class Preprocess:
    """The deterministic road from a photo to a tensor; it changes neither itself nor its input.

    Args:
        steps: geometric steps, then at most one ``Normalize``, which also says the order of the tensor's channels.
            Without one, values stay 0..255 and the channels RGB.

    Raises:
        UserError: a step cannot be undone or repeated, or ``Normalize`` is not last.
    """

    def __init__(self, steps: Sequence[Any]) -> None:
        geometric = list(steps)
        self.normalize: Normalize | None = None
        if geometric and isinstance(geometric[-1], Normalize):
            self.normalize = geometric.pop()
        for step in geometric:
            if isinstance(step, Normalize):
                raise UserError("Normalize must be the last of the transforms, and there only once.")
            if _step_name(step) is None:
                raise UserError(
                    f"{type(step).__name__} cannot be used in evaluation, prediction or export. "
                    f"Allowed: {', '.join([*_STEPS, 'Normalize'])}."
                )
            if step.random:
                raise UserError(
                    f"{_step_name(step)} leaves something to chance (interp RANDOM, or several sizes); that is for "
                    "training. Evaluation, prediction and export need one fixed way."
                )
        self.steps: tuple[Step, ...] = tuple(geometric)
        self.colour: str = self.normalize.colour if self.normalize else "rgb"
        channels = 1 if self.colour == "gray" else 3
        levels = np.arange(256, dtype=np.float32)
        self._tables = [self.normalize.table(c) if self.normalize else levels for c in range(channels)]

    @classmethod
    def from_transforms(cls, transforms: Sequence[Mapping[str, Any]]) -> Preprocess:
        """Build from the ``transforms`` of a config: a list of mappings with ``type`` and arguments."""
        built = []
        for node in transforms:
            arguments = dict(node)
            name = arguments.pop("type", None)
            if name not in _STEPS and name != "Normalize":
                allowed = [*_STEPS, "Normalize"]
                raise UserError("preprocessing: " + describe_unknown("transform", str(name), allowed))
            try:
                built.append(getattr(steps_module, name)(**arguments))
            except TypeError as error:
                raise UserError(f"transform '{name}': {error}.") from None
        return cls(built)

    @property
    def channels(self) -> int:
        """Channels of the tensor."""
        return len(self._tables)

    @property
    def input_size_hw(self) -> Size | None:
        """Height and width of the tensor where they are the same for every image, else None."""
        size: Size | None = None
        for step in self.steps:
            size = step.fixed_hw(size)
        return size

    def seen_hw(self, size_hw: Size) -> Size:
        """Return the size at which the network sees the content of an image of ``size_hw``, borders not counted.

        An image that was brought to this size beforehand gives the same tensor; never larger than the image itself.
        """
        seen, size = [float(size_hw[0]), float(size_hw[1])], size_hw
        for step in self.steps:
            operation = step.plan(size)
            if isinstance(operation, Resized):
                seen = [side * after / before for side, after, before in zip(seen, operation.after, size, strict=True)]
            size = operation.after
        return min(size_hw[0], max(1, round(seen[0]))), min(size_hw[1], max(1, round(seen[1])))

    def with_input_size(self, size_hw: Size) -> Preprocess:
        """Return this preprocessing with another size of the network's input.

        Raises:
            UserError: no step names a size, so that every image goes through at its own.
        """
        description = self.to_dict()
        sized = [step for step in description["steps"] if "target_size" in step]
        if not sized:
            raise UserError(
                "this model's transforms have no Resize or Padding with a target_size: it takes every image as it is."
            )
        for step in sized:
            step["target_size"] = [size_hw[1], size_hw[0]]
        return Preprocess.from_dict(description)

    def without_normalising(self) -> Preprocess:
        """Return the same preprocessing that leaves levels 0..255 as they are, channels in the same order."""
        return Preprocess.from_dict({**self.to_dict(), "mean": [0.0], "std": [1.0], "scale": 1.0})

    def __call__(self, image_rgb: np.ndarray) -> tuple[np.ndarray, Geometry]:
        """Preprocess one image.

        Args:
            image_rgb: uint8 H×W×3.

        Returns:
            float32 1×C×h×w, contiguous, and the geometry that leads back.
        """
        fitted, geometry = self.fit(image_rgb)
        return self.to_tensor([fitted]), geometry

    def fit(self, image_rgb: np.ndarray) -> tuple[np.ndarray, Geometry]:
        """Apply the geometric steps alone: uint8 H×W×3 to uint8 h×w×3."""
        if image_rgb.dtype != np.uint8 or image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or not image_rgb.size:
            raise ValueError(f"an image must be uint8 H×W×3 (RGB), got {image_rgb.dtype} {image_rgb.shape}")
        original: Size = (image_rgb.shape[0], image_rgb.shape[1])
        image = image_rgb
        operations: list[Operation] = []
        for step in self.steps:
            operations.append(step.plan((image.shape[0], image.shape[1])))
            image = operations[-1].apply(image)
        return image, Geometry(original, tuple(operations))

    def to_tensor(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Order the channels and normalise uint8 h×w×3 images of one size; returns float32 N×C×h×w."""
        if self.colour == "gray":
            return channels_first(
                [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] for image in images], self._tables
            )
        if self.colour == "bgr":
            images = [cv2.cvtColor(image, cv2.COLOR_RGB2BGR) for image in images]
        return channels_first(images, self._tables)

    def to_dict(self) -> dict[str, Any]:
        """Describe this preprocessing for ``deploy.yaml``: plain lists, numbers and strings.

        ``steps`` are applied in order; then ``(value * scale - mean) / std`` for each channel in ``colour`` order.
        """
        size = self.input_size_hw
        return {
            "version": VERSION,
            "input_size_hw": None if size is None else list(size),
            "colour": self.colour,
            "steps": [_describe(step) for step in self.steps],
            "scale": 1 / self.normalize.max_value if self.normalize else 1.0,
            "mean": list(self.normalize.mean) if self.normalize else [0.0],
            "std": list(self.normalize.std) if self.normalize else [1.0],
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> Preprocess:
        """Build from what :meth:`to_dict` gave.

        Raises:
            UserError: another version, or a key is missing or unknown.
        """
        if description.get("version") != VERSION:
            raise UserError(f"preprocessing of version {description.get('version')!r}; this program reads {VERSION}.")
        expected = {"version", "input_size_hw", "colour", "steps", "scale", "mean", "std"}
        if set(description) != expected:
            wrong = ", ".join(sorted(set(description) ^ expected))
            raise UserError(
                f"preprocessing: missing or unknown keys: {wrong}. Expected: {', '.join(sorted(expected))}."
            )
        nodes = list(description["steps"])
        values = {key: description[key] for key in ("mean", "std", "colour")}
        if values != _UNTOUCHED or description["scale"] != 1.0:
            nodes.append({"type": "Normalize", **values, "max_value": 1 / description["scale"]})
        return cls.from_transforms(nodes)


def _step_name(step: object) -> str | None:
    return next((name for name, kind in _STEPS.items() if isinstance(step, kind)), None)


def _describe(step: Step) -> dict[str, Any]:
    name = _step_name(step)
    if name is None:
        raise TypeError(f"not a preprocessing step: {step}")
    values = {argument: getattr(step, argument) for argument in _ARGUMENTS[name]}
    return {"type": name, **{key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}}
