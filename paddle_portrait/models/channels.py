"""Networks whose layers have fewer channels than their code says: how that is described, stored and built again.

Pruning takes channels out of layers. What is left is described by the number of channels of every layer that changed,
in ``channels.json`` beside the weights; a network built from its config and narrowed by that file has the shapes of
the weights again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from paddle import nn

from paddle_portrait.errors import UserError

CHANNELS_FILE = "channels.json"
VERSION = 1

# Dotted path of a layer -> "in" and "out", each where it is no longer what the network's code says.
Widths: TypeAlias = "dict[str, dict[str, int]]"

_ATTRIBUTE = "narrowed_channels"
# Of which channels each axis of a layer's values is; axes after these are windows.
_CONVOLUTION = {"weight": ("out", "in"), "bias": ("out",)}
_TRANSPOSED = {"weight": ("in", "out"), "bias": ("out",)}
_PER_CHANNEL = {name: ("out",) for name in ("weight", "bias", "_weight", "_mean", "_variance")}


class Slot(NamedTuple):
    """An axis of a value of the state dict that counts channels: which layer's, and on which of its sides."""

    layer: str
    side: str


def channel_axes(network: nn.Layer) -> dict[str, tuple[Slot, ...]]:
    """Return what the leading axes of every value count that can be narrowed, by name in the state dict.

    Layers of other kinds are not in it. Grouped convolutions count the channels that enter one of their groups.
    """
    axes: dict[str, tuple[Slot, ...]] = {}
    for path, layer in network.named_sublayers():
        for name, sides in _sides(layer).items():
            if getattr(layer, name, None) is not None:
                axes[f"{path}.{name}"] = tuple(Slot(path, side) for side in sides)
    return axes


def narrow(network: nn.Layer, kept: Mapping[Slot, Sequence[int] | np.ndarray]) -> None:
    """Take channels out of layers, in place.

    Args:
        network: its parameters are replaced, so optimizers and kernels come afterwards.
        kept: for each side of a layer that changes, the channels that stay. What belongs together must change together.
    """
    layers = dict(network.named_sublayers())
    for name, slots in channel_axes(network).items():
        indices = [kept.get(slot) for slot in slots]
        if any(index is not None for index in indices):
            path, attribute = name.rsplit(".", 1)
            _keep(layers[path], attribute, indices)
    widths = channel_widths(network)
    for slot, index in kept.items():
        _set_count(layers[slot.layer], slot.side, len(index))
        widths.setdefault(slot.layer, {})[slot.side] = len(index)
    setattr(network, _ATTRIBUTE, widths)


def channel_widths(network: nn.Layer) -> Widths:
    """Return the description of a narrowed network; empty for one that is as its code says."""
    return {layer: dict(sides) for layer, sides in getattr(network, _ATTRIBUTE, {}).items()}


def apply_widths(network: nn.Layer, widths: Mapping[str, Mapping[str, int]], source: str) -> None:
    """Give the layers of a network the widths of a description, in place; values are yet to be loaded.

    Raises:
        UserError: the description is of another network, or of one that had more channels than this.
    """
    if widths == channel_widths(network):
        return
    current = {slot: size for slot, size in _slots(network)}
    wanted = {Slot(layer, side): int(count) for layer, sides in widths.items() for side, count in sides.items()}
    for slot, count in wanted.items():
        if not 1 <= count <= current.get(slot, 0):
            has = f"has {current[slot]}" if slot in current else "has no such layer that could be narrower"
            raise UserError(
                f"{source} describes another network: {count} channels {slot.side} of layer '{slot.layer}', but this "
                f"network {has}. Name the config of the network that was pruned."
            )
    narrow(network, {slot: range(count) for slot, count in wanted.items() if count != current[slot]})
    setattr(network, _ATTRIBUTE, {layer: dict(sides) for layer, sides in widths.items()})


def write_widths(widths: Widths, directory: Path) -> None:
    """Write the description beside the weights in ``directory``."""
    content = {"version": VERSION, "layers": widths}
    (directory / CHANNELS_FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_widths(directory: Path) -> Widths:
    """Return the description in ``directory``; empty where there is none, as for every network that was not pruned.

    Raises:
        UserError: the file is damaged or of another version.
    """
    path = directory / CHANNELS_FILE
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != VERSION:
            raise ValueError(f"its version is {content['version']}, this program reads {VERSION}")
        return {
            str(layer): {str(side): int(count) for side, count in sides.items()}
            for layer, sides in content["layers"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"the description of a pruned network '{path}' is damaged ({error}). Prune again.") from None


def _sides(layer: nn.Layer) -> Mapping[str, tuple[str, ...]]:
    if isinstance(layer, (nn.Conv2D, nn.Conv2DTranspose)):
        if _is_depthwise(layer):
            return _PER_CHANNEL
        if isinstance(layer, nn.Conv2D):
            return _CONVOLUTION
        return _TRANSPOSED if layer._groups == 1 else {}
    is_norm = isinstance(layer, nn.BatchNorm2D)
    return _PER_CHANNEL if is_norm or (isinstance(layer, nn.PReLU) and layer._num_parameters > 1) else {}


def _is_depthwise(layer: nn.Layer) -> bool:
    return bool(1 < layer._groups == layer._in_channels == layer._out_channels)


def _slots(network: nn.Layer) -> Iterator[tuple[Slot, int]]:
    values = network.state_dict()
    for name, slots in channel_axes(network).items():
        yield from zip(slots, values[name].shape, strict=False)


def _keep(layer: nn.Layer, attribute: str, indices: Sequence[Sequence[int] | np.ndarray | None]) -> None:
    """Replace a value of a layer by its part along the leading axes, trained as before."""
    old = getattr(layer, attribute)
    array = old.numpy()
    for axis, index in enumerate(indices):
        if index is not None:
            array = np.take(array, np.asarray(index), axis=axis)
    new = layer.create_parameter(list(array.shape), dtype=old.dtype, default_initializer=nn.initializer.Assign(array))
    new.stop_gradient = old.stop_gradient
    for name in ("optimize_attr", "regularizer", "need_clip"):
        if hasattr(old, name):
            setattr(new, name, getattr(old, name))
    setattr(layer, attribute, new)


def _set_count(layer: nn.Layer, side: str, count: int) -> None:
    """Tell a layer its new number of channels, where it keeps that beside its values."""
    if isinstance(layer, (nn.Conv2D, nn.Conv2DTranspose)):
        if _is_depthwise(layer):
            layer._groups = layer._in_channels = layer._out_channels = count
        elif side == "in":
            layer._in_channels = count * layer._groups
        else:
            layer._out_channels = count
    elif isinstance(layer, nn.PReLU):
        layer._num_parameters = count
    else:
        layer._num_features = count
