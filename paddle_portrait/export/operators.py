"""A network as the list of operators that its deployed graph runs, each with the layer that called it.

Read from the traced graph, not from hooks on layers: functional calls are there too, layers that run several times
count each time, and heads that only training runs are not there at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from math import prod
from typing import Any

import paddle
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.export.graph import InferenceGraph, as_deployed
from paddle_portrait.export.tracing import INPUT_NAME, reason, shapes_known

Shape = tuple[int, ...]

_LAYER = "layer_path"
_CONVOLUTIONS = {"conv2d", "depthwise_conv2d"}
_TRANSPOSED = {"conv2d_transpose", "depthwise_conv2d_transpose"}
_PRODUCTS = {"matmul", "bmm", "linear_v2", "addmm"}
# Bookkeeping of Paddle's graph: lists of tensors are made and taken apart without computing anything.
_LISTS = {"builtin.combine", "builtin.split", "pd_op.split_with_num", "pd_op.split"}
_BYTES = 4  # of a float32


@dataclass(frozen=True)
class Weight:
    """A parameter, or a statistic of a norm, that an operator reads."""

    name: str
    shape: Shape
    learnable: bool

    @property
    def size(self) -> int:
        """Number of values."""
        return prod(self.shape)


@dataclass(frozen=True)
class Tensor:
    """A result that is computed from the input image; two with the same key are the same tensor."""

    key: str
    shape: Shape

    @property
    def bytes(self) -> int:
        """Memory in float32."""
        return prod(self.shape) * _BYTES


@dataclass(frozen=True)
class Operator:
    """One call of an operator.

    Attributes:
        layer: dotted path of the innermost layer that called it; "" for the network's own ``forward``.
        type: Paddle's name, such as ``conv2d``.
        inputs: tensors that depend on the image.
        outputs: tensors that a later operator, or the caller, reads.
        weights: parameters and statistics read.
        macs: multiply-adds of convolutions, transposed convolutions and matrix products; 0 for all else.
    """

    layer: str
    type: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    weights: tuple[Weight, ...]
    macs: int


def list_operators(network: nn.Layer, input_shape: Sequence[int]) -> list[Operator]:
    """Trace a network in evaluation mode, without its training-only parts, and list what it runs.

    Args:
        network: takes float N×C×H×W; it is left in the mode it had.
        input_shape: N, C, H, W, all known.

    Raises:
        UserError: it cannot be traced at that shape.
    """
    from paddle_portrait.engine.inferring import eval_mode

    with eval_mode(network):
        graph = InferenceGraph(as_deployed(network))
        graph.eval()
        program = _trace(graph, input_shape)
    owners = {value.name: name.removeprefix("network.") for name, value in graph.state_dict().items()}
    return _Reader(owners).read(program)


def list_legacy_operators(network: nn.Layer, input_shape: Sequence[int]) -> list[tuple[str, str]]:
    """Return layer and type of the operators that a network runs, by their names in Paddle's legacy format.

    Args:
        network: takes float N×C×H×W; it is left in the mode it had.
        input_shape: N, C, H, W, all known.

    Raises:
        UserError: it cannot be traced in that format.
    """
    from paddle_portrait.engine.inferring import eval_mode
    from paddle_portrait.export.legacy_trace import legacy_format

    with eval_mode(network):
        graph = InferenceGraph(as_deployed(network))
        graph.eval()
        program = _trace(graph, input_shape, legacy_format())
    wanted = {value.name for value in program.outputs}
    found = []
    for operator in reversed(program.main_program.global_block().ops):
        if wanted & set(operator.output_arg_names):
            wanted |= set(operator.input_arg_names)
            layer = operator.attr(_LAYER) if operator.has_attr(_LAYER) else ""
            found.append((layer, operator.type))
    return found[::-1]


def _trace(
    graph: InferenceGraph, input_shape: Sequence[int], file_format: AbstractContextManager[Any] | None = None
) -> Any:
    from paddle_portrait import models

    paddle.jit.ignore_module([models])
    spec = [paddle.static.InputSpec(list(input_shape), "float32", INPUT_NAME)]
    try:
        with file_format or nullcontext(), _layers_marked(graph.network), shapes_known():
            return paddle.jit.to_static(graph, input_spec=spec, full_graph=True).forward.concrete_program
    except UserError:
        raise
    except Exception as error:  # tracing runs the network's own code, which may raise anything
        raise UserError(
            f"the network cannot be traced with input shape {list(input_shape)}: {reason(error)}"
        ) from error


@contextmanager
def _layers_marked(network: nn.Layer) -> Iterator[None]:
    """While tracing, write into every operator which layer it came from."""
    path, marked = [""], 0

    def mark() -> None:
        nonlocal marked
        operators = paddle.static.default_main_program().global_block().ops
        for operator in operators[marked:]:
            # One call for each of Paddle's two kinds of graph.
            (getattr(operator, "set_str_attr", None) or operator._set_attr)(_LAYER, path[-1])
        marked = len(operators)

    def enter(name: str) -> Any:
        def hook(layer: nn.Layer, inputs: Any) -> None:
            mark()
            path.append(name)

        return hook

    def leave(layer: nn.Layer, inputs: Any, output: Any) -> None:
        mark()
        path.pop()

    hooks = []
    for name, layer in network.named_sublayers():
        hooks += [layer.register_forward_pre_hook(enter(name)), layer.register_forward_post_hook(leave)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Reader:
    """Turns Paddle's graph into :class:`Operator`: constants vanish, weights get the names of the state dict."""

    def __init__(self, owners: dict[str, str]) -> None:
        self._owners = owners
        self._tensors: dict[str, tuple[Tensor, ...]] = {}
        self._weights: dict[str, tuple[Weight, ...]] = {}

    def read(self, program: Any) -> list[Operator]:
        """Return the operators on which the program's outputs depend, in order."""
        operators = []
        for operator in program.main_program.global_block().ops:
            entry = self._read_one(operator)
            if entry is not None:
                operators.append(entry)
        wanted = {tensor.key for value in program.outputs for tensor in self._tensors[value.id]}
        return list(reversed(list(_needed(reversed(operators), wanted))))

    def _read_one(self, operator: Any) -> Operator | None:
        kind = operator.name()
        if kind == "pd_op.data":
            self._new_tensors(operator)
            return None
        if kind == "builtin.parameter":
            self._remember_weight(operator)
            return None
        values = [value for value in operator.operands_source() if value.initialized()]  # options left out are not
        inputs = tuple(tensor for value in values for tensor in self._tensors.get(value.id, ()))
        weights = tuple(weight for value in values for weight in self._weights.get(value.id, ()))
        if not inputs:  # made of weights and constants alone, such as a bias that is reshaped
            self._weights.update({result.id: weights for result in operator.results()})
            return None
        if kind in _LISTS and kind != "builtin.split":
            self._tensors.update({result.id: inputs for result in operator.results()})
            return None
        outputs = self._new_tensors(operator)
        name = kind.removeprefix("pd_op.").removeprefix("builtin.").rstrip("_")
        layer = operator.attrs().get(_LAYER, "")
        return Operator(layer, name, inputs, outputs, weights, _multiply_adds(name, operator))

    def _new_tensors(self, operator: Any) -> tuple[Tensor, ...]:
        # A batch norm also hands on its statistics, which are no activations.
        results = operator.results()[:1] if "batch_norm" in operator.name() else operator.results()
        made = []
        for result in results:
            tensor = Tensor(result.id, tuple(result.shape))
            self._tensors[result.id] = (tensor,)
            made.append(tensor)
        return tuple(made)

    def _remember_weight(self, operator: Any) -> None:
        (value,), attributes = operator.results(), operator.attrs()
        name = attributes["parameter_name"]
        learnable = bool(attributes["trainable"][0])
        self._weights[value.id] = (Weight(self._owners.get(name, name), tuple(value.shape), learnable),)


def _needed(latest_first: Iterable[Operator], wanted: set[str]) -> Iterator[Operator]:
    for operator in latest_first:
        outputs = tuple(tensor for tensor in operator.outputs if tensor.key in wanted)
        if outputs:
            wanted |= {tensor.key for tensor in operator.inputs}
            yield Operator(operator.layer, operator.type, operator.inputs, outputs, operator.weights, operator.macs)


def _multiply_adds(name: str, operator: Any) -> int:
    if name not in _CONVOLUTIONS | _TRANSPOSED | _PRODUCTS:
        return 0
    first, second = (tuple(value.shape) for value in operator.operands_source()[:2])
    if name in _TRANSPOSED:  # every value of the input meets the whole window of every output channel
        return prod(first) * prod(second[1:])
    result = prod(operator.results()[0].shape)
    if name in _CONVOLUTIONS:
        return result * prod(second[1:])
    transposed = bool(operator.attrs().get("transpose_x", False))
    return result * (first[-2] if transposed else first[-1])
