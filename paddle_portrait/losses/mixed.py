"""A weighted sum of losses on the same output."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import paddle
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.losses.kinds import require_plain
from paddle_portrait.registry import LOSSES

Loss = Callable[[paddle.Tensor, paddle.Tensor], paddle.Tensor]


@LOSSES.register()
class MixedLoss(nn.Layer):
    """Σ coef_i · loss_i(logits, labels).

    Args:
        losses: the losses.
        coef: one weight for each.

    Raises:
        UserError: another number of weights than losses, or a loss that needs more than logits and labels.
    """

    def __init__(self, losses: Sequence[Loss], coef: Sequence[float]) -> None:
        super().__init__()
        if len(losses) != len(coef):
            raise UserError(f"MixedLoss has {len(losses)} losses but {len(coef)} values of coef; give one for each.")
        require_plain("MixedLoss", losses)
        self.losses = list(losses)
        self.coef = [float(value) for value in coef]

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar sum for float N×classes×H×W logits and N×H×W labels."""
        weighted = [weight * loss(logits, labels) for weight, loss in zip(self.coef, self.losses, strict=True)]
        return paddle.add_n(weighted)
