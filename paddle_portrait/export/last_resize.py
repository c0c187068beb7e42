"""The resize with which many networks end: found, and left out where the host is to do it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.export.errors import ExportError
from paddle_portrait.inference.graph_form import Upsampling
from paddle_portrait.models.output import SegOutput, as_seg_output

_BILINEAR = ("bilinear", "BILINEAR")


@dataclass(frozen=True)
class LastResize:
    """The call of ``F.interpolate`` that makes a network's logits.

    Attributes:
        call: how many calls come before it.
        upsampling: what it does, for the host.
    """

    call: int
    upsampling: Upsampling


class WithoutLastResize(nn.Layer):
    """A network whose logits are left at the size that they have before the last resize."""

    def __init__(self, network: nn.Layer, last: LastResize) -> None:
        super().__init__()
        self.network = network
        self._call = last.call

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map float N×C×H×W to logits N×classes×h×w."""
        calls = 0
        original = F.interpolate

        def interpolate(x: paddle.Tensor, *arguments: Any, **options: Any) -> paddle.Tensor:
            nonlocal calls
            calls += 1
            return x if calls - 1 == self._call else original(x, *arguments, **options)

        with _interpolating_by(interpolate):
            return SegOutput(as_seg_output(self.network(x)).logits)


def find_last_resize(network: nn.Layer, image: paddle.Tensor) -> LastResize:
    """Return the resize with which a network in evaluation mode ends.

    Raises:
        ExportError: it ends in something else, or in a resize that is not bilinear.
    """
    made: list[tuple[paddle.Tensor, paddle.Tensor, dict[str, Any]]] = []
    original = F.interpolate

    def interpolate(
        x: paddle.Tensor,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool = False,
        align_mode: int = 0,
        **options: Any,
    ) -> paddle.Tensor:
        y = original(x, size, scale_factor, mode, align_corners, align_mode, **options)
        made.append((x, y, {"mode": mode, "align_corners": align_corners, "legacy": align_mode == 1}))
        return y

    with _interpolating_by(interpolate), paddle.no_grad():
        logits = as_seg_output(network(image)).logits
    for call, (before, after, how) in enumerate(made):
        if after is logits:
            if how.pop("mode") not in _BILINEAR:
                break
            return LastResize(call, Upsampling(logits.shape[2] / before.shape[2], **how))
    raise ExportError(
        f"upsample_in_graph is off, but {type(network).__name__} does not end in a bilinear resize that the host could "
        "do in its place. Leave upsample_in_graph on."
    )


@contextmanager
def _interpolating_by(function: Callable[..., paddle.Tensor]) -> Iterator[None]:
    original = F.interpolate
    F.interpolate = function
    try:
        yield
    finally:
        F.interpolate = original
