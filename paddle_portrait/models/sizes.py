"""Sizes that a network can take, said before a shape error somewhere inside says it worse."""

from __future__ import annotations

import paddle

from paddle_portrait.errors import UserError


def require_multiple(x: paddle.Tensor, divisor: int, network: str) -> None:
    """Check that height and width of N×C×H×W are multiples of ``divisor``; unknown ones (in a trace) pass.

    Raises:
        UserError: with the nearest size that the network takes.
    """
    height, width = x.shape[2], x.shape[3]
    if any(side > 0 and side % divisor for side in (height, width)):
        nearest = " x ".join(str(max(divisor, round(side / divisor) * divisor)) for side in (height, width))
        raise UserError(
            f"{network} takes heights and widths that are multiples of {divisor}; got {height} x {width}. "
            f"The nearest that it takes: {nearest} (height x width)."
        )
