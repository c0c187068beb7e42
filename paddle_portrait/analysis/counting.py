"""Sums over a list of operators: parameters before and after batch norms are folded, and memory."""

from __future__ import annotations

from collections.abc import Sequence

from paddle_portrait.export.folding import Neighbours
from paddle_portrait.export.operators import Operator, Tensor, Weight


def count_learnable(operators: Sequence[Operator]) -> int:
    """Return the learnable values that the operators read, each counted once; norms have a scale and a shift."""
    return sum({weight.name: weight.size for op in operators for weight in op.weights if weight.learnable}.values())


def count_folded(operators: Sequence[Operator]) -> int:
    """Return the values that remain when batch norms are folded.

    A norm right behind a convolution becomes part of it: all that remains is a bias for every channel, where the
    convolution had none. Any other (behind a sum or a concatenation, or behind a convolution that other calls need as
    it is) is a factor and an addend for every channel.
    """
    neighbours = Neighbours(operators)
    norms: dict[tuple[Weight, ...], list[Operator]] = {}
    for operator in operators:
        if operator.type == "batch_norm":  # one that runs twice, as on a picture and its mirror image, is stored once
            norms.setdefault(operator.weights, []).append(operator)
    others = [operator for operator in operators if operator.type != "batch_norm"]
    # A bias that is there already is counted with its convolution.
    remaining = sum(channels_of(calls[0]) * (2 - len(neighbours.takes_up(calls))) for calls in norms.values())
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
