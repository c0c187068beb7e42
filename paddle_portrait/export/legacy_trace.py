"""Tracing in Paddle's legacy format inside an ordinary Paddle 3 process.

Since Paddle 3.2 a number of functions are bound to C++ that accepts only the new graph's values, so legacy
tracing of a network that calls, say, ``F.sigmoid`` dies with "must be Value, but got Variable". While
:func:`legacy_format` is in force, these functions append the legacy operator instead; called on ordinary
tensors they are what they always were.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import paddle
from paddle.base.framework import Variable, convert_np_dtype_to_dtype_
from paddle.base.layer_helper import LayerHelper

Builder = Callable[..., Any]


@contextmanager
def legacy_format() -> Iterator[None]:
    """Let ``paddle.jit.save`` write ``.pdmodel`` within the block."""
    import paddle._C_ops as bound

    replaced: list[tuple[Any, str, Any]] = []
    try:
        for name, builder in _BUILDERS.items():
            original = getattr(bound, name, None)
            if original is None:  # this version of Paddle still has the function in Python
                continue
            wrapper = _wrap(original, builder)
            for holder, attribute in list(_holders(name, original, bound)):
                replaced.append((holder, attribute, getattr(holder, attribute)))
                setattr(holder, attribute, wrapper)
        with paddle.pir_utils.OldIrGuard():
            yield
    finally:
        for holder, attribute, original in reversed(replaced):
            setattr(holder, attribute, original)


def _wrap(original: Builder, builder: Builder) -> Builder:
    # isinstance(x, Variable) would not do: eager tensors pass that test too.
    def call(*args: Any, **kwargs: Any) -> Any:
        return (original if paddle.in_dynamic_mode() else builder)(*args, **kwargs)

    return call


def _holders(name: str, original: Any, bound: ModuleType) -> Iterator[tuple[Any, str]]:
    """Yield every place from which Paddle itself or a network reaches the C++ function ``original``.

    Public functions are thin Python around ``_C_ops.name``, which is looked up at each call; some of Paddle's
    modules, and the methods of legacy variables, hold the C++ function itself.
    """
    yield bound, name
    for module_name, module in list(sys.modules.items()):
        own = module_name == "paddle" or module_name.startswith("paddle.")
        if own and isinstance(module, ModuleType) and module is not bound and "libpaddle" not in module_name:
            yield from ((module, key) for key, value in list(vars(module).items()) if value is original)
    if name in vars(Variable):
        yield Variable, name


def _append(
    operator: str, inputs: Mapping[str, Any], attributes: Mapping[str, Any], dtype: Any = None, out: str = "Out"
) -> Any:
    helper = LayerHelper(operator)
    first = next(iter(inputs.values()))
    result = helper.create_variable_for_type_inference(first.dtype if dtype is None else dtype)
    helper.append_op(
        type=operator,
        inputs={slot: [value] for slot, value in inputs.items()},
        outputs={out: [result]},
        attrs=dict(attributes),
    )
    return result


def _unary(operator: str) -> Builder:
    def build(x: Any, name: str | None = None) -> Any:
        return _append(operator, {"X": x}, {})

    return build


def _binary(operator: str, dtype: str | None = None) -> Builder:
    def build(x: Any, y: Any, name: str | None = None) -> Any:
        if not isinstance(y, Variable):
            y = paddle.full([1], y, x.dtype)
        if not isinstance(x, Variable):
            x = paddle.full([1], x, y.dtype)
        return _append(operator, {"X": x, "Y": y}, {"axis": -1}, dtype)

    return build


def _logical(operator: str) -> Builder:
    def build(x: Any, y: Any, out: None = None, name: str | None = None) -> Any:
        return _append(operator, {"X": x, "Y": y}, {}, "bool")

    return build


def _position_of_extreme(operator: str) -> Builder:
    def build(
        x: Any, axis: int | None = None, keepdim: bool = False, dtype: str = "int64", name: str | None = None
    ) -> Any:
        code = convert_np_dtype_to_dtype_(dtype)
        attributes = {"axis": 0 if axis is None else axis, "flatten": axis is None, "keepdims": keepdim, "dtype": code}
        return _append(operator, {"X": x}, attributes, code)

    return build


def _reduction(operator: str) -> Builder:
    def build(x: Any, axis: Any = None, dtype: Any = None, keepdim: bool = False, name: str | None = None) -> Any:
        rank = len(x.shape)
        axes = list(range(rank)) if axis is None else [axis] if isinstance(axis, int) else list(axis)
        return _append(operator, {"X": x}, {"dim": axes, "keep_dim": keepdim, "reduce_all": len(axes) == rank}, dtype)

    return build


def _matmul(x: Any, y: Any, transpose_x: bool = False, transpose_y: bool = False, name: str | None = None) -> Any:
    return _append("matmul_v2", {"X": x, "Y": y}, {"trans_x": transpose_x, "trans_y": transpose_y})


def _gelu(x: Any, approximate: bool = False, name: str | None = None) -> Any:
    return _append("gelu", {"X": x}, {"approximate": bool(approximate)})


def _softplus(x: Any, beta: float = 1.0, threshold: float = 20.0, name: str | None = None) -> Any:
    return _append("softplus", {"X": x}, {"beta": float(beta), "threshold": float(threshold)})


def _grid_sample(
    x: Any,
    grid: Any,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = True,
    name: str | None = None,
) -> Any:
    attributes = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
    return _append("grid_sampler", {"X": x, "Grid": grid}, attributes, out="Output")


# Functions that segmentation networks call, by their name in paddle._C_ops.
_BUILDERS: dict[str, Builder] = {
    **{name: _unary(name) for name in ("abs", "cos", "exp", "floor", "log", "rsqrt", "sigmoid", "sin", "sqrt", "tanh")},
    "multiply": _binary("elementwise_mul"),
    "maximum": _binary("elementwise_max"),
    "minimum": _binary("elementwise_min"),
    "greater_than": _binary("greater_than", "bool"),
    "logical_and": _logical("logical_and"),
    "logical_or": _logical("logical_or"),
    "argmax": _position_of_extreme("arg_max"),
    "argmin": _position_of_extreme("arg_min"),
    "sum": _reduction("reduce_sum"),
    "matmul": _matmul,
    "bmm": lambda x, y, name=None: _append("bmm", {"X": x, "Y": y}, {}),
    "gelu": _gelu,
    "softplus": _softplus,
    "grid_sample": _grid_sample,
}
