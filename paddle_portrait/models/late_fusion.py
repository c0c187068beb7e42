"""Several networks side by side, trained together: where one is wrong, another may know better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import paddle
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.models.blocks import conv2d
from paddle_portrait.models.layers import resize_bilinear, spatial_size
from paddle_portrait.models.output import SegOutput, as_seg_output
from paddle_portrait.models.weights import load_weights
from paddle_portrait.registry import MODELS

Value = TypeVar("Value")


@MODELS.register()
class LateFusion(nn.Layer):
    """The weighted mean of several networks' logits, corrected along the picture's own edges where that is asked for.

    At first the answer is the mean alone: the correction, two 3×3 convolutions over the picture and every logit, starts
    at zero. Shares and correction are trained with the networks.

    Args:
        networks: the networks, each with one logit or with two classes; they see the same picture.
        sizes: for each network, the size [width, height] at which it sees the picture, or null for the picture's own;
            its logit is brought back bilinearly. Default: the picture's own. So one that knows a size well can stand
            beside a sharper one. A list of sizes: it sees the picture at each, and gives a logit for each.
        reversed_colours: for each network, whether it sees the colours in the other order: BGR where the picture is
            RGB; default: no.
        input_scales: for each network, what the picture is multiplied with then, so that networks of other value
            ranges can stand side by side; default: 1.
        input_shifts: for each network, what is added then, a number or one for each of its three colours; default: 0.
        shares: for each network, its share of the mean at first, or one for each of its sizes; a number is divided
            among them. Default: equal shares.
        mirrored: for each network, whether its logit is the mean of its answers to the picture and to the mirrored
            picture, which costs its time twice; default: no. In training each sees the picture alone.
        hidden: channels of the correction; 0 leaves it out.
        pretrained: zoo name or path of weights of the whole.

    Raises:
        UserError: no network, not one entry of every list for each, a size, a share or a shift that is none, ``hidden``
            below 0, or a network that is known to have more classes than two; at the first call, a network that
            turns out to, or a picture that has not three channels.
    """

    num_classes = 1

    def __init__(
        self,
        networks: Sequence[nn.Layer],
        sizes: Sequence[Sequence[int] | Sequence[Sequence[int]] | None] | None = None,
        reversed_colours: Sequence[bool] | None = None,
        input_scales: Sequence[float] | None = None,
        input_shifts: Sequence[float | Sequence[float]] | None = None,
        shares: Sequence[float | Sequence[float]] | None = None,
        mirrored: Sequence[bool] | None = None,
        hidden: int = 8,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        count = len(networks)
        if count == 0:
            raise UserError("LateFusion: networks is empty; give at least one.")
        if hidden < 0:
            raise UserError(f"LateFusion: hidden is {hidden}; allowed is 0 (no correction) or more.")
        sizes_of_each = [_sizes(index, one) for index, one in enumerate(_one_each("sizes", sizes, None, count))]
        self.views = [(index, size) for index, sizes in enumerate(sizes_of_each) for size in sizes]
        self.reversed_colours = _one_each("reversed_colours", reversed_colours, False, count)
        self.input_scales = _one_each("input_scales", input_scales, 1.0, count)
        shifts = _one_each("input_shifts", input_shifts, 0.0, count)
        self.input_shifts = [_shift(index, shift) for index, shift in enumerate(shifts)]
        shares_of_each = _one_each("shares", shares, 1.0 / count, count)
        shares_of_views = [
            share
            for index, sizes in enumerate(sizes_of_each)
            for share in _shares(index, shares_of_each[index], len(sizes))
        ]
        self.mirrored = _one_each("mirrored", mirrored, False, count)
        for index, network in enumerate(networks):
            _check_classes(index, getattr(network, "num_classes", 1))
            if self._mixes(index):
                self._add_mix(index)
        self.networks = nn.LayerList(networks)
        self.mean = conv2d(len(self.views), 1, bias=False)
        self.mean.weight.set_value(paddle.to_tensor(shares_of_views, dtype="float32").reshape(self.mean.weight.shape))
        self.corrects = hidden > 0
        if self.corrects:
            self.look = conv2d(len(self.views) + 3, hidden, 3)
            self.correct = conv2d(hidden, 1, 3)
            for parameter in self.correct.parameters():
                parameter.set_value(paddle.zeros_like(parameter))
        if pretrained is not None:
            load_weights(self, pretrained)

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map float N×3×H×W, normalised as the config says, to logits N×1×H×W."""
        if x.shape[1] != 3:
            raise UserError(
                f"LateFusion: the picture has {x.shape[1]} channels, and 3 are allowed: its correction looks at "
                "colours alone. Leave SimulatePrior and img_channels out, and networks with in_channels: 4."
            )
        logits = paddle.concat([self._answer(index, x, size) for index, size in self.views], axis=1)
        mean = self.mean(logits)
        if not self.corrects:
            return SegOutput(mean)
        correction = self.correct(nn.functional.relu(self.look(paddle.concat([logits, x], axis=1))))
        return SegOutput(mean + correction)

    def _answer(self, index: int, x: paddle.Tensor, size: tuple[int, int] | None) -> paddle.Tensor:
        """Return one network's logit N×1×H×W at one (width, height); None is the picture's own."""
        own = spatial_size(x)
        seen = x if size is None else resize_bilinear(x, (size[1], size[0]))
        seen = self._in_its_values(index, seen)
        logit = self._logit(index, seen)
        if self.mirrored[index] and not self.training:
            logit = (logit + self._logit(index, seen.flip(3)).flip(3)) / 2
        return logit if size is None else resize_bilinear(logit, own)

    def _in_its_values(self, index: int, seen: paddle.Tensor) -> paddle.Tensor:
        """Return N×3×h×w in the order of colours and the range of values that a network wants."""
        scale, shift = self.input_scales[index], self.input_shifts[index]
        if not self._mixes(index):
            return seen if (scale, shift) == (1, 0) else seen * scale + shift
        return nn.functional.conv2d(seen, getattr(self, f"mix_{index}"), getattr(self, f"mix_{index}_bias"))

    def _mixes(self, index: int) -> bool:
        return self.reversed_colours[index] or isinstance(self.input_shifts[index], list)

    def _add_mix(self, index: int) -> None:
        """Keep order, scale and shift of a network's colours as a 1×1 convolution, which is not trained.

        Every runtime knows one; not all can turn an axis round, or add a value to each channel.
        """
        order = np.eye(3, dtype=np.float32)[:: -1 if self.reversed_colours[index] else 1]
        shifts = np.resize(np.asarray(self.input_shifts[index], np.float32), 3)
        mix = (order * self.input_scales[index]).astype(np.float32).reshape(3, 3, 1, 1)
        self.register_buffer(f"mix_{index}", paddle.to_tensor(mix), persistable=False)
        self.register_buffer(f"mix_{index}_bias", paddle.to_tensor(shifts), persistable=False)

    def _logit(self, index: int, seen: paddle.Tensor) -> paddle.Tensor:
        logits = as_seg_output(self.networks[index](seen)).logits
        _check_classes(index, logits.shape[1])
        return logits if logits.shape[1] == 1 else logits[:, 1:] - logits[:, :1]


def _check_classes(index: int, count: int) -> None:
    if count not in (1, 2):
        raise UserError(
            f"LateFusion: networks[{index}] has {count} classes; allowed is num_classes: 1 (one logit) or 2 "
            "(background and person)."
        )


def _sizes(index: int, sizes: Any) -> list[tuple[int, int] | None]:
    """Return every (width, height) at which a network sees the picture; None is the picture's own."""
    if sizes is None:
        return [None]
    is_list = isinstance(sizes, (list, tuple)) and bool(sizes) and all(isinstance(one, (list, tuple)) for one in sizes)
    return [_size(index, one) for one in (sizes if is_list else [sizes])]


def _size(index: int, size: Any) -> tuple[int, int]:
    is_pair = isinstance(size, (list, tuple)) and len(size) == 2
    if not is_pair or not all(isinstance(side, int) and side > 0 for side in size):
        raise UserError(
            f"LateFusion: sizes[{index}] has {size!r}; allowed is [width, height], two whole numbers above 0, a list "
            "of such, or null for the picture's own."
        )
    return size[0], size[1]


def _shares(index: int, share: Any, count: int) -> list[float]:
    by_size = isinstance(share, (list, tuple))
    values = list(share) if by_size else [share]
    if not all(isinstance(one, (int, float)) for one in values):
        raise UserError(f"LateFusion: shares[{index}] is {share!r}; allowed is a number, or a list of them.")
    if by_size and len(values) != count:
        raise UserError(f"LateFusion: shares[{index}] is {share!r}; the network has {count} sizes, give one for each.")
    return values if by_size else [values[0] / count] * count


def _shift(index: int, shift: Any) -> float | list[float]:
    by_colour = isinstance(shift, (list, tuple))
    values = list(shift) if by_colour else [shift]
    if len(values) != (3 if by_colour else 1) or not all(isinstance(one, (int, float)) for one in values):
        raise UserError(f"LateFusion: input_shifts[{index}] is {shift!r}; allowed is a number, or a list of three.")
    return values if by_colour else values[0]


def _one_each(name: str, values: Sequence[Value] | None, default: Value, count: int) -> list[Value]:
    if values is not None and not isinstance(values, (list, tuple)):
        raise UserError(f"LateFusion: {name} is {values!r}; allowed is a list, one entry a network, or null.")
    given = [default] * count if values is None else list(values)
    if len(given) != count:
        raise UserError(f"LateFusion: {count} networks need {count} {name}, not {len(given)}.")
    return given
