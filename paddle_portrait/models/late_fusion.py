"""Several networks side by side, trained together: where one is wrong, another may know better."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.models.blocks import conv2d
from paddle_portrait.models.output import SegOutput, as_seg_output
from paddle_portrait.models.weights import load_weights
from paddle_portrait.registry import MODELS


@MODELS.register()
class LateFusion(nn.Layer):
    """The weighted mean of several networks' logits, corrected along the picture's own edges.

    At first the answer is the mean alone: the correction, two 3×3 convolutions over the picture and every network's
    logit, starts at zero. Shares and correction are trained with the networks.

    Args:
        networks: the networks, each with one logit or with two classes; they see the same picture.
        input_scales: for each network, what the picture is multiplied with first, so that networks of other value
            ranges can stand side by side; default: 1.
        input_shifts: for each network, what is added then; default: 0.
        shares: for each network, its share of the mean at first; default: equal shares.
        hidden: channels of the correction.
        pretrained: zoo name or path of weights of the whole.

    Raises:
        UserError: no network, or not one scale, shift and share for each.
    """

    num_classes = 1

    def __init__(
        self,
        networks: Sequence[nn.Layer],
        input_scales: Sequence[float] | None = None,
        input_shifts: Sequence[float] | None = None,
        shares: Sequence[float] | None = None,
        hidden: int = 8,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        count = len(networks)
        if count == 0:
            raise UserError("LateFusion: networks is empty; give at least one.")
        self.input_scales = _one_each("input_scales", input_scales, 1.0, count)
        self.input_shifts = _one_each("input_shifts", input_shifts, 0.0, count)
        shares = _one_each("shares", shares, 1.0 / count, count)
        self.networks = nn.LayerList(networks)
        self.mean = conv2d(count, 1, bias=False)
        self.mean.weight.set_value(paddle.to_tensor(shares).reshape(self.mean.weight.shape))
        self.look = conv2d(count + 3, hidden, 3)
        self.correct = conv2d(hidden, 1, 3)
        for parameter in self.correct.parameters():
            parameter.set_value(paddle.zeros_like(parameter))
        if pretrained is not None:
            load_weights(self, pretrained)

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map float N×3×H×W, normalised as the config says, to logits N×1×H×W."""
        answers = [
            _logit(as_seg_output(network(x if (scale, shift) == (1.0, 0.0) else x * scale + shift)).logits)
            for network, scale, shift in zip(self.networks, self.input_scales, self.input_shifts, strict=True)
        ]
        logits = paddle.concat(answers, axis=1)
        correction = self.correct(nn.functional.relu(self.look(paddle.concat([logits, x], axis=1))))
        return SegOutput(self.mean(logits) + correction)


def _logit(logits: paddle.Tensor) -> paddle.Tensor:
    return logits if logits.shape[1] == 1 else logits[:, 1:] - logits[:, :1]


def _one_each(name: str, values: Sequence[float] | None, default: float, count: int) -> list[float]:
    given = [default] * count if values is None else [float(value) for value in values]
    if len(given) != count:
        raise UserError(f"LateFusion: {count} networks need {count} {name}, not {len(given)}.")
    return given
