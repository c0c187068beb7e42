"""What a network returns, whichever family it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import paddle


class SegOutput(NamedTuple):
    """Output of a segmentation network.

    Attributes:
        logits: main output, float N×classes×H×W at the input's size.
        aux: outputs of auxiliary heads, used in training only; each float N×classes×H×W.
        boundary: output of a boundary head, float N×2×H×W, or None.
    """

    logits: paddle.Tensor
    aux: tuple[paddle.Tensor, ...] = ()
    boundary: paddle.Tensor | None = None


def as_seg_output(output: Any) -> SegOutput:
    """Read whatever a network returned as a :class:`SegOutput`.

    A tensor is the logits; a list or tuple (PaddleSeg's networks) is the logits followed by auxiliary outputs.

    Raises:
        TypeError: ``output`` is none of these.
    """
    if isinstance(output, SegOutput):
        return output
    if isinstance(output, Sequence) and len(output) > 0:
        return SegOutput(output[0], tuple(output[1:]))
    if isinstance(output, paddle.Tensor) or hasattr(output, "shape"):
        return SegOutput(output)
    raise TypeError(f"a network must return a tensor, a list of tensors or a SegOutput, not {type(output).__name__}")
