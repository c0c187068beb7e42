"""What an exported graph takes and gives where that is not the plain thing, and how to lead back to it.

Plain: float32 N×C×H×W, normalised, in; what the graph ends in, at the size of the input, out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.preprocess.bit_packing import unpack_mask

Size = tuple[int, int]
_SMALLEST = 1e-37  # below it a float32 probability has no logarithm worth having


@dataclass(frozen=True)
class Upsampling:
    """The last resize of a network, left to the host.

    Attributes:
        stride: input pixels to one pixel of the graph's output.
        align_corners: the outermost pixels' centres fall together, else their outer edges.
        legacy: TensorFlow 1's sampling: pixels are points at their top left corners.
    """

    stride: float
    align_corners: bool = False
    legacy: bool = False

    def __call__(self, array: np.ndarray, size_hw: Size) -> np.ndarray:
        """Resize float N×C×h×w bilinearly."""
        if not (self.align_corners or self.legacy):
            flat = array.reshape(-1, *array.shape[2:])
            large = np.stack([cv2.resize(one, size_hw[::-1], interpolation=cv2.INTER_LINEAR) for one in flat])
            return large.reshape(*array.shape[:2], *size_hw)
        rows, columns = (self._matrix(*sizes) for sizes in zip(array.shape[2:], size_hw, strict=True))
        return rows @ array @ columns.T

    def _matrix(self, source: int, target: int) -> np.ndarray:
        ratio = (source - 1) / max(target - 1, 1) if self.align_corners else source / target
        position = np.arange(target) * ratio
        lower = np.minimum(position.astype(np.int64), source - 1)
        upper = np.minimum(lower + 1, source - 1)
        matrix = np.zeros((target, source), np.float32)
        np.add.at(matrix, (np.arange(target), lower), 1.0 - (position - lower))
        np.add.at(matrix, (np.arange(target), upper), position - lower)
        return matrix


@dataclass(frozen=True)
class GraphForm:
    """How a graph departs from the plain form.

    Attributes:
        input_dtype: ``"float32"``, or ``"uint8"`` where the graph normalises: levels of the image, channels ordered.
        input_channels: channels that the graph takes; those beyond the image's are ignored. None: just the image's.
        classes: channels of the network's output. None: not said.
        bit_packed: pixels of the mask in a value: 8 in a uint8, or 16 in a float32, leftmost first. None: none.
        flat: the output is N×values, in the order of its plain form.
        upsampling: the resize that is left to the host. None: nothing is left.
    """

    input_dtype: str = "float32"
    input_channels: int | None = None
    classes: int | None = None
    bit_packed: int | None = None
    flat: bool = False
    upsampling: Upsampling | None = None

    def feed(self, tensor: np.ndarray) -> np.ndarray:
        """Bring a plain N×C×H×W, for a ``uint8`` graph not normalised, to what the graph takes."""
        missing = (self.input_channels or tensor.shape[1]) - tensor.shape[1]
        if missing > 0:
            tensor = np.pad(tensor, ((0, 0), (0, missing), (0, 0), (0, 0)))
        return tensor.astype(self.input_dtype, copy=False)

    def read(self, output: np.ndarray, output_op: str, size_hw: Size) -> np.ndarray:
        """Return the plain output of a graph's raw one.

        Args:
            output: what the graph gave.
            output_op: what it ends in.
            size_hw: height and width of its input.

        Returns:
            int32 N×H×W classes for ``"argmax"``, else float32 N×C×H×W, at ``size_hw`` where anything was left to do.
        """
        if self.flat:
            output = output.reshape(len(output), *self._shape_of_one(output_op, size_hw))
        if self.bit_packed:
            return unpack_mask(output, self.bit_packed).reshape(len(output), *size_hw).astype(np.int32)
        if self.upsampling is None:
            return output
        logits = self.upsampling(_logits(output, output_op), size_hw)
        return _finish(logits, output_op)

    def describe(self) -> str:
        """Return in words what is not plain; "" when nothing is."""
        parts = []
        if self.input_dtype != "float32":
            parts.append(f"{self.input_dtype} in")
        if self.input_channels is not None:
            parts.append(f"{self.input_channels} channels in")
        if self.bit_packed:
            parts.append(f"{self.bit_packed} pixels in a value")
        if self.flat:
            parts.append("flat")
        if self.upsampling is not None:
            parts.append(f"at 1/{self.upsampling.stride:g} of the size")
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for ``deploy.yaml``."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str) -> GraphForm:
        """Build from what :meth:`to_dict` gave.

        Raises:
            UserError: an unknown key, which an older program must not pass over.
        """
        given = dict(values)
        upsampling = given.pop("upsampling", None)
        try:
            form = cls(**given, upsampling=None if upsampling is None else Upsampling(**upsampling))
        except TypeError as error:
            raise UserError(f"{where}: {error}. A newer version may have written it; export the model again.") from None
        if form.input_dtype not in ("float32", "uint8"):
            raise UserError(f"{where}: " + describe_unknown("input_dtype", str(form.input_dtype), ("float32", "uint8")))
        return form

    def _shape_of_one(self, output_op: str, size_hw: Size) -> tuple[int, ...]:
        """Return the shape of one image's output before it was flattened."""
        height, width = size_hw
        if self.upsampling is not None:  # a side that the stride does not divide is rounded up
            height, width = (math.ceil(side / self.upsampling.stride) for side in size_hw)
        if self.bit_packed:
            return height, width // self.bit_packed
        return (height, width) if output_op == "argmax" else (-1, height, width)


PLAIN = GraphForm()


def _logits(output: np.ndarray, output_op: str) -> np.ndarray:
    """Return logits, up to an addend common to all channels, which no softmax sees."""
    if output_op == "none":
        return output
    logarithm = np.log(np.maximum(output, _SMALLEST))
    if output.shape[1] > 1:
        return logarithm
    return logarithm - np.log(np.maximum(1 - output, _SMALLEST))


def _finish(logits: np.ndarray, output_op: str) -> np.ndarray:
    if output_op == "none":
        return logits
    if logits.shape[1] == 1:
        return 1 / (1 + np.exp(-np.maximum(logits, -80)))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
