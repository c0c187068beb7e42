"""What a legacy graph needs changed before Paddle Lite computes it rightly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paddle_portrait.export.legacy_program import argument, read_program

# What is further below the largest logit has no share that float32 could tell from none beside it.
_DEEPEST = -60.0


def write_for_lite(source: Path, result: Path) -> None:
    """Copy a ``.pdmodel`` file; before every softmax the largest logit is taken off, and the rest clipped at -60.

    Lite's softmax on x86 gives inf and NaN when logits are more than some 80 apart. Two operators that Lite has
    everywhere keep it from that, and change no probability by more than 1e-26.
    """
    program = read_program(source)
    for block in program.blocks:
        operators = list(block.ops)
        del block.ops[:]
        for operator in operators:
            if operator.type == "softmax":
                _guard(block, operator)
            block.ops.append(operator)
    result.write_bytes(program.SerializeToString())


def _guard(block: Any, softmax: Any) -> None:
    """Append what keeps ``softmax`` from overflowing, and let it read from there."""
    logits = argument(softmax.inputs, "X")
    axis = next(attribute.i for attribute in softmax.attrs if attribute.name == "axis")
    shape = next(variable for variable in block.vars if variable.name == logits).type.dense_tensor.tensor.dims
    top = _variable(block, logits, "top", [1 if i == axis % len(shape) else side for i, side in enumerate(shape)])
    below = _variable(block, logits, "below", list(shape))
    clipped = _variable(block, logits, "clipped", list(shape))
    _append(block, "reduce_max", {"X": logits}, top, dim=[axis], keep_dim=True, reduce_all=False)
    _append(block, "elementwise_sub", {"X": logits, "Y": top}, below, axis=-1)
    _append(block, "clip", {"X": below}, clipped, min=_DEEPEST, max=0.0)
    next(slot for slot in softmax.inputs if slot.parameter == "X").arguments[0] = clipped


def _variable(block: Any, like: str, suffix: str, shape: list[int]) -> str:
    """Add a variable of the type of ``like`` and return its name."""
    variable = block.vars.add()
    variable.CopyFrom(next(known for known in block.vars if known.name == like))
    variable.name = f"{like}.{suffix}"
    variable.type.dense_tensor.tensor.dims[:] = shape
    return variable.name


def _append(block: Any, kind: str, inputs: dict[str, str], output: str, **attributes: Any) -> None:
    from paddle.base.proto import framework_pb2

    operator = block.ops.add(type=kind)
    for parameter, name in inputs.items():
        operator.inputs.add(parameter=parameter, arguments=[name])
    operator.outputs.add(parameter="Out", arguments=[output])
    kinds = framework_pb2.AttrType
    for name, value in attributes.items():
        if isinstance(value, bool):
            operator.attrs.add(name=name, type=kinds.BOOLEAN, b=value)
        elif isinstance(value, int):
            operator.attrs.add(name=name, type=kinds.INT, i=value)
        elif isinstance(value, float):
            operator.attrs.add(name=name, type=kinds.FLOAT, f=value)
        else:
            operator.attrs.add(name=name, type=kinds.INTS, ints=value)
