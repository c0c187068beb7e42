"""Smaller ONNX files that compute the same: weights are stored in fewer bits and widened when the file is loaded.

Arithmetic stays in float32, and a runtime widens the constants once, so nothing is slower either.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

_SMALLEST = 64  # values; below that the node that widens costs more than it saves
_LEVELS = 256


class Levels(NamedTuple):
    """An array as ``(levels - zero) * scale``, all of one array alike."""

    levels: np.ndarray
    scale: np.float32
    zero: np.uint8


def store_compactly(source: Path, target: Path, rounded: bool = False, keep: Collection[str] = ()) -> int:
    """Write a copy of an ONNX file whose weights take fewer bytes; return how many tensors were changed.

    Weights that were quantised once (at most 256 evenly spaced values) are kept as bytes, those that float16 holds
    exactly as float16. All others stay as they are, unless ``rounded``.

    Args:
        source: ONNX file of opset 13 or later.
        target: file to write.
        rounded: round all other weights to float16, too, where they do not overflow.
        keep: names of weights that are not rounded all the same.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(source))
    nodes: list[NodeProto] = []
    kept: list[TensorProto] = []
    changed = 0
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        stored = _store(tensor.name, array, rounded and tensor.name not in keep) if is_worth_it(array) else None
        if stored is None:
            kept.append(tensor)
            continue
        tensors, node = stored
        kept += tensors
        nodes.append(node)
        changed += 1
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    old = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *old])  # ONNX wants every node behind those it reads from
    onnx.checker.check_model(model)
    onnx.save(model, str(target))
    return changed


def find_levels(array: np.ndarray) -> Levels | None:
    """Return an array as at most 256 evenly spaced levels, where it is that: up to the rounding of float32."""
    values = np.unique(array).astype(np.float64)
    if not 2 <= len(values) <= _LEVELS:
        return None
    step = float(np.diff(values).min())
    # Differences of neighbours carry rounding; the whole range, divided by its number of steps, does not.
    count = np.rint((values[-1] - values[0]) / step)
    if step <= 0 or count >= _LEVELS:
        return None
    step = (values[-1] - values[0]) / count
    zero = max(np.rint(-values[0] / step), 0.0)
    if zero >= _LEVELS or zero + np.rint(values[-1] / step) >= _LEVELS:
        return None
    levels = np.rint(array / step + zero)
    scale = np.float32(step)
    widened = ((levels - zero) * scale).astype(np.float32)
    if np.abs(widened - array).max() > 1e-6 * np.abs(array).max():
        return None
    return Levels(levels.astype(np.uint8), scale, np.uint8(zero))


def is_worth_it(array: np.ndarray) -> bool:
    """Tell whether an array has so many floats that storing them in fewer bits saves anything."""
    return array.dtype == np.float32 and array.size >= _SMALLEST


def as_half(array: np.ndarray) -> np.ndarray:
    """Return an array in float16; infinite where that overflows."""
    with np.errstate(over="ignore"):
        return array.astype(np.float16)


def _store(name: str, array: np.ndarray, rounded: bool) -> tuple[list[TensorProto], NodeProto] | None:
    from onnx import TensorProto as Types
    from onnx import helper, numpy_helper

    def constant(values: np.ndarray | np.generic, part: str) -> TensorProto:
        return numpy_helper.from_array(np.asarray(values), f"{name}/{part}")

    found = find_levels(array)
    if found is not None:
        tensors = [constant(found.levels, "levels"), constant(found.scale, "scale"), constant(found.zero, "zero")]
        names = [tensor.name for tensor in tensors]
        return tensors, helper.make_node("DequantizeLinear", names, [name], f"{name}/widen")
    half = as_half(array)
    if np.array_equal(half.astype(np.float32), array) or (rounded and np.isfinite(half).all()):
        tensor = constant(half, "half")
        return [tensor], helper.make_node("Cast", [tensor.name], [name], f"{name}/widen", to=Types.FLOAT)
    return None
