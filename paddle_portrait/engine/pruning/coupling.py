"""Which channels of a network hang together, read from its traced graph.

Every tensor of the graph is followed by an array of labels, one for each channel. A convolution gives its output new
labels; what adds, multiplies or normalises makes labels one; what stacks, splits and reshapes moves them about. In the
end the channels that share a label can only be removed together. Where an operator is not understood, the channels
that enter and leave it are kept, so that a new network is at worst pruned less than it could be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddle_portrait.models import as_seg_output
from paddle_portrait.models.channels import Slot, channel_axes

_FIXED = 0  # the label of what must stay
_NEUTRAL = -1  # of numbers that belong to no channel

_SAME = {"relu", "relu6", "hardswish", "hardsigmoid", "sigmoid", "swish", "silu", "leaky_relu", "tanh", "scale", "cast"}
_SAME |= {"assign", "dropout", "abs", "elu", "gelu", "clip"}
_SPATIAL = {"pool2d", "bilinear_interp", "nearest_interp"}
_BOTH = {"add", "multiply", "subtract", "maximum", "minimum", "divide"}
_DENSE = {"conv2d": (0, 1), "conv2d_transpose": (1, 0)}  # axes of the weight: channels out, channels in
_DEPTHWISE = {"depthwise_conv2d", "depthwise_conv2d_transpose"}


@dataclass(frozen=True)
class Cost:
    """Multiply-adds of a convolution: ``per_pair`` for each channel in with each out, or for each channel alone."""

    per_pair: int
    out: Slot
    into: Slot | None

    def macs(self, counts: Mapping[Slot, int]) -> int:
        """Return the multiply-adds with so many channels on the layers' sides."""
        return self.per_pair * counts[self.out] * (1 if self.into is None else counts[self.into])


@dataclass
class Coupling:
    """The channels of a network by what they hang together with.

    Attributes:
        labels: for each side of a layer, int64 label of each of its channels; equal labels hang together.
        fixed: the labels that must stay.
        costs: of all convolutions that are understood.
        fixed_macs: multiply-adds of the others.
    """

    labels: dict[Slot, np.ndarray]
    fixed: frozenset[int]
    costs: list[Cost]
    fixed_macs: int

    def macs(self, counts: Mapping[Slot, int] | None = None) -> int:
        """Return the multiply-adds of the network, whole or with so many channels on its layers' sides."""
        known = counts or {slot: len(values) for slot, values in self.labels.items()}
        return self.fixed_macs + sum(cost.macs(known) for cost in self.costs)


def couple(network: nn.Layer, input_shape: Sequence[int]) -> Coupling:
    """Trace a network, its heads of training included, and find out which of its channels hang together.

    Args:
        network: takes float N×C×H×W; it is left in the mode it had.
        input_shape: N, C, H, W, all known.
    """
    modes = [(layer, layer.training) for layer in network.sublayers(include_self=True)]
    network.train()
    for layer in network.sublayers():
        if "dropout" in type(layer).__name__.lower():
            layer.eval()  # how it draws its numbers is of no interest here
    try:
        program = _trace(_AllOutputs(network), input_shape)
    finally:
        for layer, training in modes:
            layer.training = training
    return _Walk(network).through(program)


def _trace(graph: nn.Layer, input_shape: Sequence[int]) -> Any:
    from paddle_portrait import models

    # Our networks do not branch on values: they are traced as they stand, without Paddle's rewriting of their source.
    paddle.jit.ignore_module([models])
    spec = [paddle.static.InputSpec(list(input_shape), "float32", "x")]
    return paddle.jit.to_static(graph, input_spec=spec, full_graph=True).forward.concrete_program


class _AllOutputs(nn.Layer):
    """The network with everything it answers as one flat list."""

    def __init__(self, network: nn.Layer) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        output = as_seg_output(self.network(x))
        return [output.logits, *output.aux, *([] if output.boundary is None else [output.boundary])]


@dataclass
class _Labels:
    """Union-find over labels; the least label of a set stands for it, and 0 means that it stays."""

    parents: list[int] = field(default_factory=lambda: [_FIXED])

    def new(self, count: int) -> np.ndarray:
        start = len(self.parents)
        self.parents.extend(range(start, start + count))
        return np.arange(start, start + count)

    def root(self, label: int) -> int:
        while self.parents[label] != label:
            self.parents[label] = self.parents[self.parents[label]]
            label = self.parents[label]
        return label

    def unite(self, first: np.ndarray, second: np.ndarray) -> None:
        pairs = np.stack(np.broadcast_arrays(first, second)).reshape(2, -1)
        for one, other in np.unique(pairs, axis=1).T.tolist():
            if _NEUTRAL not in (one, other):
                low, high = sorted((self.root(one), self.root(other)))
                self.parents[high] = low


class _NotUnderstoodError(Exception):
    """The operator does something else to channels than is known here."""


class _Walk:
    """Goes through a program operator by operator."""

    def __init__(self, network: nn.Layer) -> None:
        self._keys = {value.name: key for key, value in network.state_dict().items()}
        self._axes = channel_axes(network)
        self._labels = _Labels()
        self._slots: dict[Slot, np.ndarray] = {}
        self._tensors: dict[Any, Any] = {}  # value -> labels, or a list of such
        self._weights: dict[Any, str] = {}
        self._windows: set[Slot] = set()  # of weights that no convolution has met yet
        self._costs: list[Cost] = []
        self._fixed_macs = 0

    def through(self, program: Any) -> Coupling:
        for operator in program.main_program.global_block().ops:
            self._visit(operator)
        outputs = [value for part in program.outputs for value in (part if isinstance(part, list) else [part])]
        for kept in [*(self._tensors[value.id] for value in outputs), *(self._slots[slot] for slot in self._windows)]:
            self._hold(kept)
        labels = {
            slot: np.array([self._labels.root(label) for label in values.tolist()])
            for slot, values in self._slots.items()
        }
        return Coupling(labels, frozenset({_FIXED}), self._costs, self._fixed_macs)

    def _visit(self, operator: Any) -> None:
        name = operator.name().removeprefix("pd_op.").rstrip("_")
        if name == "builtin.parameter":
            self._enter_parameter(operator)
            return
        if name in ("full", "full_int_array"):
            for result in operator.results():
                self._tensors[result.id] = _spread(_NEUTRAL, result)
            return
        try:
            outputs = self._follow(name, operator)
        except _NotUnderstoodError:
            outputs = self._keep_all(operator)
        for result, labels in zip(operator.results(), outputs, strict=False):
            self._tensors[result.id] = labels

    def _enter_parameter(self, operator: Any) -> None:
        (value,) = operator.results()
        key = self._keys.get(operator.attrs()["parameter_name"], "")
        self._weights[value.id] = key
        slots = self._axes.get(key, ())
        vectors = [self._slot(slot, size) for slot, size in zip(slots, value.shape, strict=False)]
        is_vector = len(value.shape) == len(vectors) == 1
        self._tensors[value.id] = vectors[0] if is_vector else _spread(_FIXED, value)
        self._windows.update(() if is_vector else slots)

    def _slot(self, slot: Slot, size: int) -> np.ndarray:
        if slot not in self._slots:
            self._slots[slot] = self._labels.new(size)
        return self._slots[slot]

    def _follow(self, name: str, operator: Any) -> list[Any]:
        if name in _DENSE:
            return [self._dense(operator, *_DENSE[name])]
        if name in _DEPTHWISE:
            return [self._depthwise(operator)]
        if name in _SAME:
            return [self._in(operator, 0)]
        if name in _SPATIAL:
            return [_spread(_channels(self._in(operator, 0)), operator.results()[0])]
        if name in _BOTH:
            return [self._join(self._in(operator, 0), self._in(operator, 1))]
        steps: dict[str, Callable[[Any], list[Any]]] = {
            "batch_norm": self._batch_norm,
            "prelu": self._prelu,
            "mean": self._mean,
            "concat": self._concat,
            "stack": self._stack,
            "split_with_num": self._split,
            "builtin.combine": lambda combine: [[self._tensors[v.id] for v in combine.operands_source()]],
            "builtin.split": lambda split: list(self._in(split, 0)),
            "reshape": self._reshape,
        }
        if name not in steps:
            raise _NotUnderstoodError(name)
        return steps[name](operator)

    def _in(self, operator: Any, index: int) -> Any:
        return self._tensors[operator.operands_source()[index].id]

    def _dense(self, operator: Any, out_axis: int, in_axis: int) -> np.ndarray:
        source, weight = operator.operands_source()[:2]
        slots = self._axes.get(self._weights.get(weight.id, ""), ())
        if len(slots) != 2:
            raise _NotUnderstoodError("not a layer's own weight")
        out, into = slots[out_axis], slots[in_axis]
        self._windows -= {out, into}
        groups = int(operator.attrs()["groups"])  # they must stay alike
        self._labels.unite(_channels(self._in(operator, 0)).reshape(groups, -1), self._slots[into])
        if groups > 1:
            by_group = self._slots[out].reshape(groups, -1)
            self._labels.unite(by_group[:1], by_group)
        (result,) = operator.results()
        # A transposed convolution meets the whole window at every value of its input, a plain one at every output.
        places = source.shape if operator.name().endswith("transpose") else result.shape
        self._costs.append(Cost(prod(places[2:]) * prod(weight.shape[2:]), out, into))
        return _spread(self._slots[out], result)

    def _depthwise(self, operator: Any) -> np.ndarray:
        source, weight = operator.operands_source()[:2]
        slots = self._axes.get(self._weights.get(weight.id, ""), ())
        if len(slots) != 1:
            raise _NotUnderstoodError("several outputs for each channel, or not a layer's own weight")
        self._labels.unite(_channels(self._in(operator, 0)), self._slots[slots[0]])
        self._windows.discard(slots[0])
        (result,) = operator.results()
        places = source.shape if operator.name().endswith("transpose") else result.shape
        self._costs.append(Cost(prod(places[2:]) * prod(weight.shape[2:]), slots[0], None))
        return _spread(self._slots[slots[0]], result)

    def _batch_norm(self, operator: Any) -> list[Any]:
        vectors = [self._tensors[value.id] for value in operator.operands_source()[1:5]]
        channels = _channels(self._in(operator, 0))
        for vector in vectors:
            self._labels.unite(channels, _channels(vector))
        # Beside its output it gives the statistics that it moved.
        return [self._in(operator, 0), *([channels] * (len(operator.results()) - 1))]

    def _prelu(self, operator: Any) -> list[Any]:
        slopes = self._in(operator, 1)
        if slopes.size > 1:
            self._labels.unite(_channels(self._in(operator, 0)), slopes.ravel())
        return [self._in(operator, 0)]

    def _mean(self, operator: Any) -> list[Any]:
        labels, (result,) = self._in(operator, 0), operator.results()
        if labels.ndim != 4 or tuple(result.shape[:2]) != labels.shape[:2] or len(result.shape) != 4:
            raise _NotUnderstoodError("a mean over channels")
        return [_spread(_channels(labels), result)]

    def _join(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the labels of an operation by elements, where one value may stand for a whole axis."""
        for one, other in ((first, second), (second, first)):
            if one.ndim == other.ndim == 4 and one.shape[1] == 1 < other.shape[1]:
                self._hold(one)  # it belongs to all channels of the other
                return np.broadcast_to(other, np.broadcast_shapes(one.shape, other.shape))
        left, right = np.broadcast_arrays(_collapsed(first), _collapsed(second))
        self._labels.unite(left, right)
        shape = np.broadcast_shapes(first.shape, second.shape)
        return np.broadcast_to(np.where(left == _NEUTRAL, right, left), shape)

    def _concat(self, operator: Any) -> list[Any]:
        axis = int(operator.operands_source()[1].get_defining_op().attrs()["value"])
        return [_compact(np.concatenate(self._in(operator, 0), axis=axis))]

    def _stack(self, operator: Any) -> list[Any]:
        parts = self._in(operator, 0)
        for part in parts[1:]:  # they must keep the same shape
            self._labels.unite(_collapsed(parts[0]), _collapsed(part))
        return [np.stack(parts, axis=int(operator.attrs()["axis"]))]

    def _split(self, operator: Any) -> list[Any]:
        axis = int(operator.operands_source()[1].get_defining_op().attrs()["value"])
        parts = [_compact(part) for part in np.split(self._in(operator, 0), int(operator.attrs()["num"]), axis=axis)]
        for part in parts[1:]:  # it must come apart evenly again
            self._labels.unite(_collapsed(parts[0]), _collapsed(part))
        return [parts]

    def _reshape(self, operator: Any) -> list[Any]:
        return [_compact(self._in(operator, 0).reshape(operator.results()[0].shape))]

    def _hold(self, labels: Any) -> None:
        """Keep the channels of a tensor, or of a list of such."""
        for array in labels if isinstance(labels, list) else [labels]:
            collapsed = _collapsed(array)
            self._labels.unite(collapsed, np.full_like(collapsed, _FIXED))

    def _keep_all(self, operator: Any) -> list[Any]:
        for value in operator.operands_source():
            if value.initialized():
                self._hold(self._tensors[value.id])
                if key := self._weights.get(value.id):
                    for slot in self._axes.get(key, ()):
                        self._hold(self._slots[slot])
        if "conv2d" in operator.name():
            source, weight = operator.operands_source()[:2]
            transposed = operator.name().endswith("transpose")
            places = prod(source.shape) if transposed else prod(operator.results()[0].shape)
            self._fixed_macs += places * prod(weight.shape[1:])
        return [_spread(_FIXED, result) for result in operator.results()]


def _spread(channels: Any, value: Any) -> np.ndarray:
    """Return labels of ``value``'s shape, which have no memory of their own, from those of its channels."""
    shape = tuple(value.shape)
    vector = np.asarray(channels)
    if vector.ndim == 1 and len(shape) > 1:
        vector = vector.reshape(-1, *[1] * (len(shape) - 2))
    return np.broadcast_to(vector, shape)


def _collapsed(labels: np.ndarray) -> np.ndarray:
    """Return labels without the repetitions that :func:`_spread` made."""
    return labels[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in labels.strides)]


def _channels(labels: np.ndarray) -> np.ndarray:
    """Return the label of each channel of N×C×…; not understood where a channel has several."""
    if labels.ndim == 1:
        return labels
    vector = _collapsed(labels)
    vector = vector.reshape(vector.shape[0], vector.shape[1], -1)
    if (vector != vector[:1, :, :1]).any():
        raise _NotUnderstoodError("channels are mixed with places")
    return np.broadcast_to(vector[0, :, 0], (labels.shape[1],))


def _compact(labels: np.ndarray) -> np.ndarray:
    """Return the same labels without memory of their own, where every channel has one."""
    if labels.ndim != 4 or (labels != labels[:1, :, :1, :1]).any():
        return labels
    return np.broadcast_to(labels[:1, :, :1, :1], labels.shape)
