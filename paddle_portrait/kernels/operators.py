"""The operators on tensors, and for each the question whether it takes these tensors.

All take and give float32 N×C×H×W on the CPU, unless they say otherwise, and are differentiable once. `layers.py` and
`functional.py` ask and fall back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import paddle
from paddle import _C_ops

DEPTHWISE_SIZES = (3, 4, 5)
POOL_SIZES = (2, 3)
ACTIVATIONS = (None, "relu", "relu6", "hard_swish")  # in the order of the enumeration in csrc/kernels.h
_run = _C_ops._run_custom_op  # type: ignore[attr-defined]  # made at run time


def takes_input(x: paddle.Tensor) -> bool:
    """Return whether ``x`` is what every operator here needs: a float32 N×C×H×W tensor on the CPU, being trained on.

    Mixed precision needs no question of its own: Paddle has none on CPUs.
    """
    return (
        paddle.in_dynamic_mode()
        and x.dtype == paddle.float32
        and x.ndim == 4
        and x.place.is_cpu_place()
        and paddle.is_grad_enabled()
    )


@dataclass(frozen=True)
class Window:
    """How a square window slides: ``pads`` is top, bottom, left, right."""

    stride: int
    dilation: int
    groups: int
    pads: tuple[int, int, int, int]

    def attributes(self) -> tuple[int, int, int, list[int]]:
        return self.stride, self.dilation, self.groups, list(self.pads)


def convolution(
    kind: str, x: paddle.Tensor, weight: paddle.Tensor, bias: paddle.Tensor | None, window: Window
) -> paddle.Tensor:
    """Convolve N×C×H×W with O×C/groups×kh×kw.

    ``kind`` is ``depthwise`` (groups = C = O, k in :data:`DEPTHWISE_SIZES`, stride 1 or 2, pads at most
    ``dilation * (k - 1)``), ``dense`` (anything), or ``stem``, which gives no gradient for ``x``.
    """
    return _run(f"portrait_{kind}", x, weight, _or_empty(bias), *window.attributes())[0]


def transposed(
    kind: str,
    x: paddle.Tensor,
    weight: paddle.Tensor,
    bias: paddle.Tensor | None,
    window: Window,
    size: tuple[int, int],
) -> paddle.Tensor:
    """Convolve N×C×H×W, transposed, with C×O/groups×kh×kw to the height and width of ``size``.

    ``kind`` is ``depthwise`` or ``dense``, with the conditions of :func:`convolution`.
    """
    return _run(f"portrait_{kind}_transposed", x, weight, _or_empty(bias), *window.attributes(), list(size))[0]


def pointwise(x: paddle.Tensor, weight: paddle.Tensor, bias: paddle.Tensor | None) -> paddle.Tensor:
    """Convolve N×C×H×W with a 1×1 kernel of O×C×1×1."""
    return _run("portrait_pointwise", x, weight, _or_empty(bias))[0]


def _or_empty(tensor: paddle.Tensor | None) -> paddle.Tensor:
    return _nothing() if tensor is None else tensor


@lru_cache(maxsize=1)
def _nothing() -> paddle.Tensor:
    """Return what stands for no tensor: custom operators know no optional gradients."""
    return paddle.empty([0], dtype="float32")


def batch_norm(
    x: paddle.Tensor,
    scale: paddle.Tensor,
    shift: paddle.Tensor,
    running_mean: paddle.Tensor,
    running_variance: paddle.Tensor,
    momentum: float,
    epsilon: float,
    activation: str | None,
) -> paddle.Tensor:
    """Normalise N×C×H×W by the batch's own mean and (biased) variance, then one of :data:`ACTIVATIONS`.

    The running statistics move in place, ``running = momentum * running + (1 - momentum) * batch``.
    """
    kind = ACTIVATIONS.index(activation)
    return _run("portrait_batch_norm", x, scale, shift, running_mean, running_variance, momentum, epsilon, kind)[0]


def separable(
    x: paddle.Tensor,
    depthwise: paddle.Tensor,
    scale: paddle.Tensor,
    shift: paddle.Tensor,
    pointwise: paddle.Tensor,
    running_mean: paddle.Tensor,
    running_variance: paddle.Tensor,
    window: Window,
    momentum: float,
    epsilon: float,
) -> paddle.Tensor:
    """Convolve depthwise, normalise as :func:`batch_norm` does, and convolve 1×1; neither convolution has a bias."""
    tensors = (x, depthwise, scale, shift, pointwise, running_mean, running_variance)
    return _run("portrait_separable", *tensors, window.stride, window.dilation, list(window.pads), momentum, epsilon)[0]


def prelu(x: paddle.Tensor, weight: paddle.Tensor) -> paddle.Tensor:
    """Return x where it is above zero and weight·x elsewhere; one weight for each channel or for all."""
    return _run("portrait_prelu", x, weight)[0]


def hard_swish(x: paddle.Tensor) -> paddle.Tensor:
    """Return x · min(max(x + 3, 0), 6) / 6."""
    return _run("portrait_hard_swish", x)[0]


def max_pool(x: paddle.Tensor, size: int, stride: int, padding: int) -> paddle.Tensor:
    """Take the maximum over square windows of 2 or 3; among equals the first gets the gradient."""
    return _run("portrait_max_pool", x, size, stride, padding)[0]


def resize(x: paddle.Tensor, height: int, width: int, align_corners: bool) -> paddle.Tensor:
    """Resize N×C×H×W bilinearly, with half-pixel centres unless the corners are aligned."""
    return _run("portrait_resize", x, height, width, align_corners)[0]


def interleave(first: paddle.Tensor, second: paddle.Tensor) -> paddle.Tensor:
    """Return N×2C×H×W whose channels are those of two N×C×H×W tensors in turn."""
    return _run("portrait_interleave", first, second)[0]


def channel_gate(
    x: paddle.Tensor,
    addend: paddle.Tensor | None,
    squeeze: tuple[paddle.Tensor, paddle.Tensor],
    excite: tuple[paddle.Tensor, paddle.Tensor],
) -> paddle.Tensor:
    """Return x · factor + addend, N×C×H×W each; the factor of a channel comes from the means of x + addend.

    It is sigmoid(excite(relu(squeeze(means)))); weights are S×C×1×1 and C×S×1×1, with biases S and C.
    """
    return _run("portrait_channel_gate", x, _or_empty(addend), *squeeze, *excite)[0]


def read_labels(labels: paddle.Tensor, ignore_index: int) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Return int64 labels as float32, 0 where they are ``ignore_index``, and where they are not: float32 0 or 1."""
    person, valid = _run("portrait_read_labels", labels, ignore_index)
    return person, valid


def cross_entropy(margin: paddle.Tensor, person: paddle.Tensor, weights: paddle.Tensor) -> paddle.Tensor:
    """Return the weighted mean of log(1 + exp(margin)) − person · margin, three tensors of one shape.

    The weights' sum counts as 1e-12 at least; a gradient for ``margin`` only.
    """
    return _run("portrait_cross_entropy", margin, person, weights)[0]


def overlaps(margin: paddle.Tensor, person: paddle.Tensor, valid: paddle.Tensor) -> paddle.Tensor:
    """Return [2, 3]: for background and person Σpt, Σp² and Σt² over the pixels where ``valid`` is 1.

    p is the probability of that class by the sigmoid of ``margin``, t its target by ``person``; tensors of one shape,
    a gradient for ``margin`` only.
    """
    return _run("portrait_overlaps", margin, person, valid)[0]


def margin(logits: paddle.Tensor) -> paddle.Tensor:
    """Return N×H×W, the second channel minus the first, of N×2×H×W."""
    return _run("portrait_margin", logits)[0]


def blend(averages: Sequence[paddle.Tensor], values: Sequence[paddle.Tensor], share: float) -> None:
    """Move each average in place: average += share · (value − average). All float32 on the CPU and contiguous."""
    _run("portrait_blend", list(averages), list(values), share)
