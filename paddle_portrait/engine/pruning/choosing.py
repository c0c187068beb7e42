"""Which channels to remove: the least important ones first, until enough multiply-adds are gone."""

from __future__ import annotations

import fnmatch
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from typing import Literal, TypeAlias

import numpy as np
from paddle import nn

from paddle_portrait.engine.pruning.coupling import Cost, Coupling
from paddle_portrait.errors import UserError
from paddle_portrait.models.channels import Slot, channel_axes

Importance: TypeAlias = Literal["l1", "norm"]


@dataclass(frozen=True)
class PruneOptions:
    """How to prune.

    Attributes:
        ratio: share of the multiply-adds to remove, in (0, 1).
        importance: ``l1`` (weights of the filters) or ``norm`` (scales of batch norms), see :func:`scores`.
        max_share: largest share of any layer's channels that may go.
        keep: patterns of layers, such as ``head.*``, whose outputs stay whole.
        multiple_of: layers that lose channels end with a multiple of this.
    """

    ratio: float
    importance: Importance = "l1"
    max_share: float = 0.5
    keep: Sequence[str] = ()
    multiple_of: int = 1

    def check(self) -> None:
        """Raise UserError where the numbers make no sense."""
        if not 0 < self.ratio < 1 or not 0 < self.max_share < 1 or self.multiple_of < 1:
            raise UserError(
                f"prune: ratio {self.ratio:g} and max_share {self.max_share:g} must lie between 0 and 1, and "
                f"multiple_of {self.multiple_of} must be at least 1."
            )


def choose(network: nn.Layer, coupling: Coupling, options: PruneOptions) -> dict[Slot, np.ndarray]:
    """Return the channels that stay, for every side of a layer that loses some.

    Args:
        network: whose weights say what is important.
        coupling: which channels can go, and only together.
        options: how much, and what.

    Raises:
        UserError: a pattern matches nothing, nothing can be removed, or not that much.
    """
    held = set(coupling.fixed) | _held_by_patterns(coupling, options.keep)
    found = scores(network, coupling, options.importance)
    rated = {label: score for label, score in found.items() if label not in held}
    if not rated:
        raise UserError(_why_nothing(options.importance))
    sizes = {slot: len(labels) for slot, labels in coupling.labels.items()}
    target = (1 - options.ratio) * coupling.macs()
    removed, counts = _least_important(coupling, rated, target, options)
    if coupling.macs(counts) > target:
        most = 1 - coupling.macs(counts) / coupling.macs()
        raise UserError(
            f"prune.ratio {options.ratio:g}: only {most:.1%} of the multiply-adds can go while every layer keeps "
            f"{1 - options.max_share:.0%} of its channels. Ask for less, allow more by max_share, or shorten keep."
        )
    kept = {slot: np.flatnonzero(~np.isin(labels, list(removed))) for slot, labels in coupling.labels.items()}
    return {slot: index for slot, index in kept.items() if len(index) < sizes[slot]}


def _least_important(
    coupling: Coupling, rated: Mapping[int, float], target: float, options: PruneOptions
) -> tuple[set[int], dict[Slot, int]]:
    """Return labels to remove until ``target`` multiply-adds are left, if it can be reached, and what it leaves."""
    members: dict[int, Counter[Slot]] = defaultdict(Counter)  # how many channels of a side a label has
    for slot, labels in coupling.labels.items():
        for label in labels.tolist():
            members[label][slot] += 1
    costs: dict[Slot, set[Cost]] = defaultdict(set)
    for cost in coupling.costs:
        for side in (cost.out, cost.into):
            if side is not None:
                costs[side].add(cost)
    sizes = {slot: len(labels) for slot, labels in coupling.labels.items()}
    counts, macs, removed = dict(sizes), coupling.macs(), set()
    for bundle in _bundles(rated, members, options.multiple_of):
        if macs <= target:
            break
        lost = sum((members[label] for label in bundle), Counter[Slot]())
        fewer = {slot: counts[slot] - number for slot, number in lost.items()}
        if all(count >= max(1, sizes[slot] * (1 - options.max_share)) for slot, count in fewer.items()):
            touched = set().union(*(costs[slot] for slot in fewer))
            macs -= sum(cost.macs(counts) for cost in touched)
            counts.update(fewer)
            macs += sum(cost.macs(counts) for cost in touched)
            removed.update(bundle)
    return removed, counts


def _bundles(rated: Mapping[int, float], members: Mapping[int, Counter[Slot]], multiple_of: int) -> list[list[int]]:
    """Return labels that go together, least important first: so many of a width that a multiple of it is left."""
    widths: dict[frozenset[tuple[Slot, int]], list[int]] = defaultdict(list)
    for label in sorted(rated, key=lambda each: (rated[each], each)):
        widths[frozenset(members[label].items())].append(label)
    bundles = []
    for width, labels in widths.items():
        step = multiple_of // gcd(multiple_of, min(number for _, number in width))
        first = len(labels) % step
        starts = [*([0] if first else []), *range(first, len(labels), step)]
        bundles += [labels[start:end] for start, end in pairwise([*starts, len(labels)])]
    return sorted(bundles, key=lambda bundle: (sum(rated[label] for label in bundle) / len(bundle), bundle))


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
