"""Sums over a list of operators: parameters before and after batch norms are folded, and memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from paddle_portrait.analysis.operators import Operator, Tensor

# What a batch norm can be folded into, and the addition of its bias that may stand between.
_FOLDS_INTO = {"conv2d", "depthwise_conv2d", "conv2d_transpose", "depthwise_conv2d_transpose"}


def count_learnable(operators: Sequence[Operator]) -> int:
    """Return the learnable values that the operators read, each counted once; norms have a scale and a shift."""
    return sum({weight.name: weight.size for op in operators for weight in op.weights if weight.learnable}.values())


def count_folded(operators: Sequence[Operator]) -> int:
    """Return the values that remain when batch norms are folded.

    A norm right behind a convolution becomes part of it: all that remains is a bias for every channel, where the
    convolution had none. Any other (behind a sum or a concatenation) is a factor and an addend for every channel.
    """
    folding = _Folding(operators)
    norms = [operator for operator in operators if operator.type == "batch_norm"]
    others = [operator for operator in operators if operator.type != "batch_norm"]
    remaining = sum(channels_of(norm) * folding.values_per_channel(norm) for norm in norms)
    return remaining + count_learnable(others)


def channels_of(operator: Operator) -> int:
    """Return the channels of an operator's result N×C×H×W."""
    return operator.outputs[0].shape[1]


def activation_bytes(operators: Sequence[Operator]) -> tuple[int, int]:
    """Return the memory of all results together, and the most that is needed at one moment.

    A tensor is needed from the operator that makes it (the image: from the start) to the last one that reads it.
    Every operator is taken to write into memory of its own, in float32.
    """
    last_use = {tensor.key: index for index, operator in enumerate(operators) for tensor in operator.inputs}
    made = {tensor.key for operator in operators for tensor in operator.outputs}
    given = {tensor for operator in operators for tensor in operator.inputs if tensor.key not in made}
    alive: dict[str, Tensor] = {tensor.key: tensor for tensor in given}
    total = peak = 0
    for index, operator in enumerate(operators):
        alive.update({tensor.key: tensor for tensor in operator.outputs})
        total += sum(tensor.bytes for tensor in operator.outputs)
        peak = max(peak, sum(tensor.bytes for tensor in alive.values()))
        for key in [key for key in alive if last_use.get(key, len(operators)) <= index]:
            del alive[key]
    return total, peak


class _Folding:
    """Which batch norms stand right behind a convolution whose result nothing else reads."""

    def __init__(self, operators: Sequence[Operator]) -> None:
        self._makers = {tensor.key: operator for operator in operators for tensor in operator.outputs}
        self._readers = Counter(tensor.key for operator in operators for tensor in operator.inputs)

    def values_per_channel(self, norm: Operator) -> int:
        """Return how many values a channel of the norm leaves when it is folded."""
        before = self._only_for(norm)
        if before is not None and before.type == "add" and before.weights and len(before.inputs) == 1:
            convolution = self._only_for(before)
            if convolution is not None and convolution.type in _FOLDS_INTO:
                return 0  # the bias, which is counted with the convolution
        return 1 if before is not None and before.type in _FOLDS_INTO else 2

    def _only_for(self, operator: Operator) -> Operator | None:
        key = operator.inputs[0].key
        return self._makers.get(key) if self._readers[key] == 1 else None
