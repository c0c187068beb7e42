"""Structured pruning: whole channels are removed, so that every runtime is quicker, and the rest is fine-tuned."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import paddle
from paddle import nn

from paddle_portrait.engine.inferring import eval_mode
from paddle_portrait.engine.pruning.choosing import PruneOptions, choose
from paddle_portrait.engine.pruning.coupling import couple
from paddle_portrait.errors import UserError
from paddle_portrait.models import as_seg_output
from paddle_portrait.models.channels import Slot, channel_axes, narrow

__all__ = ["PruneOptions", "PruneReport", "prune"]

_LIMIT = 1e-3  # of the largest logit; sums in another order differ by a hundredth of it


@dataclass(frozen=True)
class PruneReport:
    """What pruning did.

    Attributes:
        macs: multiply-adds before and after.
        values: of the state dict, before and after.
        sizes: channels before, of every side of a layer that lost some.
        kept: those that stayed.
    """

    macs: tuple[int, int]
    values: tuple[int, int]
    sizes: dict[Slot, int]
    kept: dict[Slot, np.ndarray]

    def summary(self) -> str:
        """Return one line for the log."""
        (macs, fewer_macs), (values, fewer_values) = self.macs, self.values
        return (
            f"pruned {len({slot.layer for slot in self.kept})} layers: {macs / 1e6:.1f} -> {fewer_macs / 1e6:.1f} "
            f"million multiply-adds ({fewer_macs / macs - 1:+.1%}), {values:,} -> {fewer_values:,} values "
            f"({fewer_values / values - 1:+.1%})"
        )


def prune(network: nn.Layer, input_shape: Sequence[int], options: PruneOptions) -> PruneReport:
    """Remove channels of a network, in place, and make sure that the rest answers as if they were zero.

    Which channels go follows from the weights alone, so that the same weights are always pruned alike.

    Args:
        network: trained; an optimizer and kernels must be given to it afterwards.
        input_shape: N, C, H, W of its input, all known.
        options: how much and what.

    Raises:
        UserError: the options make no sense, not that much can be removed, or the network's code cannot run with
            fewer channels.
    """
    options.check()
    coupling = couple(network, input_shape)
    kept = choose(network, coupling, options)
    silenced = copy.deepcopy(network)
    silence(silenced, kept)
    values = _count_values(network)
    narrow(network, kept)
    _prove(silenced, network, input_shape)
    after = {slot: len(kept.get(slot, labels)) for slot, labels in coupling.labels.items()}
    return PruneReport(
        macs=(coupling.macs(), coupling.macs(after)),
        values=(values, _count_values(network)),
        sizes={slot: len(coupling.labels[slot]) for slot in kept},
        kept=kept,
    )


def silence(network: nn.Layer, kept: dict[Slot, np.ndarray]) -> None:
    """Set the values of all channels to zero, in place, that are not among the kept ones."""
    values = network.state_dict()
    for name, slots in channel_axes(network).items():
        for axis, slot in enumerate(slots):
            if slot in kept:
                mask = np.zeros(values[name].shape[axis], np.float32)
                mask[kept[slot]] = 1
                shape = [1] * axis + [-1] + [1] * (len(values[name].shape) - axis - 1)
                values[name].set_value(values[name] * paddle.to_tensor(mask.reshape(shape)))


def _prove(silenced: nn.Layer, pruned: nn.Layer, input_shape: Sequence[int]) -> None:
    """Compare the pruned network's answer with that of the whole one whose removed channels are zero."""
    image = np.random.default_rng(0).standard_normal(input_shape).astype(np.float32)
    answers = []
    for network in (silenced, pruned):
        with eval_mode(network), paddle.no_grad():
            try:
                answers.append(as_seg_output(network(paddle.to_tensor(image))).logits.numpy())
            except Exception as error:  # whatever the network's own code raises
                if network is silenced:
                    raise
                raise UserError(
                    "this network cannot be pruned: its code counts on channels that were removed "
                    f"({type(error).__name__}: {str(error).strip().splitlines()[-1][:200]}). Name the layers that "
                    "must stay in prune.keep."
                ) from error
    expected, found = answers
    worst = float(np.abs(expected - found).max())
    if not worst <= _LIMIT * max(1.0, float(np.abs(expected).max())):
        raise UserError(
            f"this network cannot be pruned: without the channels it answers otherwise (by {worst:.3g}) than with "
            "their values at zero. Name the layers that must stay in prune.keep."
        )


def _count_values(network: nn.Layer) -> int:
    return sum(int(value.size) for value in network.state_dict().values())
