"""Which channels to remove: the least important ones first, until enough multiply-adds are gone."""

from __future__ import annotations

import fnmatch
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from paddle import nn

from paddle_portrait.engine.pruning.coupling import Cost, Coupling
from paddle_portrait.errors import UserError
from paddle_portrait.models.channels import Slot, channel_axes

Importance: TypeAlias = Literal["l1", "norm"]


def choose(
    network: nn.Layer, coupling: Coupling, ratio: float, importance: Importance, max_share: float, keep: Sequence[str]
) -> dict[Slot, np.ndarray]:
    """Return the channels that stay, for every side of a layer that loses some.

    Args:
        network: whose weights say what is important.
        coupling: which channels can go, and only together.
        ratio: share of the multiply-adds to remove.
        importance: ``l1`` or ``norm``, see :func:`scores`.
        max_share: largest share of any layer's channels that may go.
        keep: patterns of layers, such as ``head.*``, whose outputs stay whole.

    Raises:
        UserError: a pattern matches nothing, nothing can be removed, or not that much.
    """
    held = set(coupling.fixed) | _held_by_patterns(coupling, keep)
    rated = {label: score for label, score in scores(network, coupling, importance).items() if label not in held}
    if not rated:
        raise UserError(_why_nothing(importance))
    sizes = {slot: len(labels) for slot, labels in coupling.labels.items()}
    removed, counts = _least_important(coupling, rated, (1 - ratio) * coupling.macs(), max_share)
    if coupling.macs(counts) > (1 - ratio) * coupling.macs():
        most = 1 - coupling.macs(counts) / coupling.macs()
        raise UserError(
            f"prune.ratio {ratio:g}: only {most:.1%} of the multiply-adds can go while every layer keeps "
            f"{1 - max_share:.0%} of its channels. Ask for less, allow more by max_share, or shorten keep."
        )
    kept = {slot: np.flatnonzero(~np.isin(labels, list(removed))) for slot, labels in coupling.labels.items()}
    return {slot: index for slot, index in kept.items() if len(index) < sizes[slot]}


def _least_important(
    coupling: Coupling, rated: Mapping[int, float], target: float, max_share: float
) -> tuple[set[int], dict[Slot, int]]:
    """Return labels to remove until ``target`` multiply-adds are left, if it can be reached, and what it leaves."""
    members: dict[int, list[Slot]] = defaultdict(list)  # a side as often as the label has channels there
    for slot, labels in coupling.labels.items():
        for label in labels.tolist():
            members[label].append(slot)
    costs: dict[Slot, set[Cost]] = defaultdict(set)
    for cost in coupling.costs:
        for side in (cost.out, cost.into):
            if side is not None:
                costs[side].add(cost)
    sizes = {slot: len(labels) for slot, labels in coupling.labels.items()}
    counts, macs, removed = dict(sizes), coupling.macs(), set()
    for label in sorted(rated, key=lambda each: (rated[each], each)):
        if macs <= target:
            break
        fewer = {slot: counts[slot] - number for slot, number in Counter(members[label]).items()}
        if all(count >= max(1, sizes[slot] * (1 - max_share)) for slot, count in fewer.items()):
            touched = set().union(*(costs[slot] for slot in fewer))
            macs -= sum(cost.macs(counts) for cost in touched)
            counts.update(fewer)
            macs += sum(cost.macs(counts) for cost in touched)
            removed.add(label)
    return removed, counts


def scores(network: nn.Layer, coupling: Coupling, importance: Importance) -> dict[int, float]:
    """Return how important the channels of each label are, 1 for a layer's average.

    ``l1`` is the mean absolute weight of the filters that make the channels (Li et al., Pruning filters for efficient
    ConvNets, ICLR 2017); ``norm`` the absolute scale of the batch norms behind them (Liu et al., Network slimming,
    ICCV 2017). Each is divided by the layer's mean, so that layers can be compared.
    """
    values, found = network.state_dict(), defaultdict(list)
    for name, slots in channel_axes(network).items():
        is_window = len(values[name].shape) > 1
        is_scale = name.endswith(".weight") and not is_window
        slot = next(slot for slot in slots if slot.side == "out")
        if slot not in coupling.labels or not (is_window if importance == "l1" else is_scale):
            continue
        size = np.abs(values[name].numpy())
        size = size.mean(axis=tuple(axis for axis in range(size.ndim) if axis != slots.index(slot)))
        for label, value in zip(coupling.labels[slot].tolist(), size / max(size.mean(), 1e-12), strict=True):
            found[label].append(float(value))
    return {label: float(np.mean(each)) for label, each in found.items()}


def _held_by_patterns(coupling: Coupling, keep: Sequence[str]) -> set[int]:
    held: set[int] = set()
    layers = {slot.layer for slot in coupling.labels}
    for pattern in keep:
        matched = set(fnmatch.filter(layers, pattern))
        if not matched:
            raise UserError(
                f"prune.keep: '{pattern}' matches no layer with channels. Some: {', '.join(sorted(layers)[:4])}."
            )
        for slot, labels in coupling.labels.items():
            if slot.layer in matched and slot.side == "out":
                held.update(labels.tolist())
    return held


def _why_nothing(importance: Importance) -> str:
    if importance == "norm":
        return (
            "nothing to prune: importance 'norm' needs batch norms behind channels that can go. Networks converted "
            "with their norms folded have none; take importance 'l1'."
        )
    return "nothing to prune: every channel of this network must stay, by 'keep' or by how its layers hang together."
