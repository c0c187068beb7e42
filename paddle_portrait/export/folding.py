"""Batch norms folded into the convolutions in front of them, dropout gone: the same function, fewer operators."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence

import numpy as np
from paddle import nn

from paddle_portrait import kernels
from paddle_portrait.export.operators import Operator, list_operators

_CONVOLUTIONS = {"conv2d", "depthwise_conv2d", "conv2d_transpose", "depthwise_conv2d_transpose"}


class Neighbours:
    """Who makes and who reads the results and the weights of a list of operators."""

    def __init__(self, operators: Sequence[Operator]) -> None:
        self._makers = {tensor.key: operator for operator in operators for tensor in operator.outputs}
        self._readers = Counter(tensor.key for operator in operators for tensor in operator.inputs)
        self._weight_readers = Counter(weight.name for operator in operators for weight in operator.weights)

    def takes_up(self, norm: Sequence[Operator]) -> tuple[Operator, ...]:
        """Return what can take up a norm: a convolution and the addition of its bias, where it has one; or nothing.

        Such a convolution stands right before each call of the norm, and its parameters serve nothing else.

        Args:
            norm: all calls of the norm.
        """
        before = [self._before(call) for call in norm]
        if not all(before) or len({convolution.layer for convolution, *_ in before}) > 1:
            return ()
        weights = {weight.name for operator in before[0] for weight in operator.weights}
        return before[0] if all(self._weight_readers[name] == len(norm) for name in weights) else ()

    def _before(self, norm: Operator) -> tuple[Operator, ...]:
        """Return the convolution, and the addition of its bias, whose result goes to ``norm`` and nowhere else."""
        last = self._made_for(norm)
        if last is None or last.type in _CONVOLUTIONS:
            return () if last is None else (last,)
        first = self._made_for(last)
        return (first, last) if first is not None and _adds_own_bias(last, first) else ()

    def _made_for(self, operator: Operator) -> Operator | None:
        key = operator.inputs[0].key
        return self._makers.get(key) if self._readers[key] == 1 else None


def _adds_own_bias(operator: Operator, convolution: Operator) -> bool:
    """Tell whether an operator adds to a convolution's result the bias of the same layer, and nothing else."""
    if operator.type != "add" or convolution.type not in _CONVOLUTIONS or len(operator.inputs) != 1:
        return False
    own = [weight.name.removesuffix("weight") + "bias" for weight in convolution.weights]
    return [weight.name for weight in operator.weights] == own


def fold_norms(network: nn.Layer, input_shape: Sequence[int]) -> nn.Layer:
    """Return a copy of a network without batch norms and dropout, which computes the same in evaluation mode.

    A norm right behind a convolution becomes part of it. Any other becomes a convolution of its own, one factor and
    one addend for every channel: runtimes fuse that with what follows. A convolution that runs more than once takes up
    a norm that stands behind it each time.

    Args:
        network: takes float N×C×H×W; it is left as it was.
        input_shape: N, C, H, W, all known, that it can run at.
    """
    operators = list_operators(network, input_shape)
    neighbours = Neighbours(operators)
    norms: dict[str, list[Operator]] = {}
    for operator in operators:
        if operator.type == "batch_norm":
            norms.setdefault(operator.layer, []).append(operator)
    folded = kernels.restore(copy.deepcopy(network))
    layers = dict(folded.named_sublayers())
    for name, calls in norms.items():
        norm = layers.get(name)
        if not _is_norm(norm):
            continue
        taken_up = neighbours.takes_up(calls)
        convolution = layers.get(taken_up[0].layer) if taken_up else None
        factor, addend = _as_line(norm)
        if type(convolution) in (nn.Conv2D, nn.Conv2DTranspose):  # not those with a forward of their own
            _scale(convolution, factor, addend)
            _replace(folded, norm, nn.Identity())
        else:
            _replace(folded, norm, _as_convolution(factor, addend))
    for dropout in [layer for layer in layers.values() if _does_nothing(layer)]:
        _replace(folded, dropout, nn.Identity())
    folded.eval()
    return folded


def _is_norm(layer: nn.Layer | None) -> bool:
    return isinstance(layer, (nn.BatchNorm, nn.BatchNorm2D, nn.SyncBatchNorm))


def _does_nothing(layer: nn.Layer) -> bool:
    """Tell whether a layer is dropout, unless it is of the kind that scales in evaluation instead of in training."""
    return isinstance(layer, (nn.Dropout, nn.Dropout2D)) and getattr(layer, "mode", None) != "downscale_in_infer"


def _as_line(norm: nn.Layer) -> tuple[np.ndarray, np.ndarray]:
    """Return factor and addend of every channel, float64."""
    mean, variance = (value.numpy().astype(np.float64) for value in (norm._mean, norm._variance))
    weight = 1.0 if norm.weight is None else norm.weight.numpy().astype(np.float64)
    bias = 0.0 if norm.bias is None else norm.bias.numpy().astype(np.float64)
    factor = weight / np.sqrt(variance + norm._epsilon)
    return factor, bias - mean * factor


def _scale(convolution: nn.Conv2D | nn.Conv2DTranspose, factor: np.ndarray, addend: np.ndarray) -> None:
    weight = convolution.weight.numpy().astype(np.float64)
    if isinstance(convolution, nn.Conv2DTranspose):  # in × (out / groups) × h × w; the inputs are grouped
        groups = convolution._groups
        grouped = weight.reshape(groups, -1, *weight.shape[1:]) * factor.reshape(groups, 1, -1, 1, 1)
        weight = grouped.reshape(weight.shape)
    else:
        weight = weight * factor[:, None, None, None]
    bias = 0.0 if convolution.bias is None else convolution.bias.numpy().astype(np.float64)
    convolution.weight.set_value(weight.astype(np.float32))
    _set_bias(convolution, bias * factor + addend)


def _as_convolution(factor: np.ndarray, addend: np.ndarray) -> nn.Conv2D:
    channels = len(factor)
    convolution = nn.Conv2D(channels, channels, 1, groups=channels)
    convolution.weight.set_value(factor.reshape(-1, 1, 1, 1).astype(np.float32))
    _set_bias(convolution, addend)
    return convolution


def _set_bias(convolution: nn.Layer, values: np.ndarray) -> None:
    if convolution.bias is None:
        convolution.bias = convolution.create_parameter([len(values)], is_bias=True)
    convolution.bias.set_value(values.astype(np.float32))


def _replace(network: nn.Layer, old: nn.Layer, new: nn.Layer) -> None:
    for parent in network.sublayers(include_self=True):
        for name, child in list(parent._sub_layers.items()):  # named_children skips second names
            if child is old:
                setattr(parent, name, new)
