"""What a legacy graph needs changed before Paddle Lite computes it rightly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paddle_portrait.export.legacy_program import argument, read_program, replace_argument

# What is further below the largest logit has no share that float32 could tell from none beside it.
_DEEPEST = -60.0


def write_for_lite(source: Path, result: Path) -> None:
    """Copy a ``.pdmodel`` file, without what Lite gets wrong.

    - Its softmax on x86 gives inf and NaN when logits are more than some 80 apart
      (``tests/runtime_faults/paddle_lite_softmax_pow.py``): before every softmax the largest logit is taken off, and
      the rest clipped at -60, which changes no probability by more than 1e-26.
    - Networks were seen to abort where it had joined a transposed convolution, its bias and an activation; two small
      layers alone do not. Such a bias is reshaped first, which keeps the three apart.
    """
    program = read_program(source)
    for block in program.blocks:
        operators = list(block.ops)
        transposed = {argument(one.outputs, "Output") for one in operators if one.type == "conv2d_transpose"}
        del block.ops[:]
        for operator in operators:
            if operator.type == "softmax":
                _guard(block, operator)
            elif operator.type == "elementwise_add" and argument(operator.inputs, "X") in transposed:
                _keep_apart(block, operator)
            block.ops.append(operator)
    result.write_bytes(program.SerializeToString())


def _guard(block: Any, softmax: Any) -> None:
    """Append what keeps ``softmax`` from overflowing, and let it read from there."""
    logits = argument(softmax.inputs, "X")
    axis = next(attribute.i for attribute in softmax.attrs if attribute.name == "axis")
    shape = _shape(block, logits)
    top = _variable(block, logits, "top", [1 if i == axis % len(shape) else side for i, side in enumerate(shape)])
    below = _variable(block, logits, "below", shape)
    clipped = _variable(block, logits, "clipped", shape)
    _append(block, "reduce_max", {"X": logits}, {"Out": top}, dim=[axis], keep_dim=True, reduce_all=False)
    _append(block, "elementwise_sub", {"X": logits, "Y": top}, {"Out": below}, axis=-1)
    _append(block, "clip", {"X": below}, {"Out": clipped}, min=_DEEPEST, max=0.0)
    replace_argument(softmax.inputs, "X", clipped)


def _keep_apart(block: Any, addition: Any) -> None:
    """Let ``addition`` of a bias read it reshaped."""
    axis = next(attribute for attribute in addition.attrs if attribute.name == "axis")
    bias = argument(addition.inputs, "Y")
    if axis.i != 1:
        return
    channels = _shape(block, bias)[0]
    spread = _variable(block, bias, "spread", [1, channels, 1, 1])
    outputs = {"Out": spread, "XShape": _variable(block, bias, "shape", [0, channels])}
    _append(block, "reshape2", {"X": bias}, outputs, shape=[1, channels, 1, 1])
    replace_argument(addition.inputs, "Y", spread)
    axis.i = -1


def _shape(block: Any, name: str) -> list[int]:
    return list(next(known for known in block.vars if known.name == name).type.dense_tensor.tensor.dims)


def _variable(block: Any, like: str, suffix: str, shape: list[int]) -> str:
    """Add a variable of the type of ``like`` and return its name."""
    variable = block.vars.add()
    variable.CopyFrom(next(known for known in block.vars if known.name == like))
    variable.name, variable.persistable = f"{like}.{suffix}", False
    variable.type.dense_tensor.tensor.dims[:] = shape
    return variable.name


def _append(block: Any, kind: str, inputs: dict[str, str], outputs: dict[str, str], **attributes: Any) -> None:
    from paddle.base.proto import framework_pb2

    operator = block.ops.add(type=kind)
    for parameter, name in inputs.items():
        operator.inputs.add(parameter=parameter, arguments=[name])
    for parameter, name in outputs.items():
        operator.outputs.add(parameter=parameter, arguments=[name])
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
