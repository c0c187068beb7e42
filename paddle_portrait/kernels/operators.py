"""The operators on tensors, and for each the question whether it takes these tensors.

All take and give float32 N×C×H×W on the CPU and are differentiable once. `layers.py` asks and falls back.
"""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import _C_ops

DEPTHWISE_SIZES = (3, 5)
POOL_SIZES = (2, 3)
STEM_CHANNELS = 4  # widest input the stem operator is meant for; beyond that Paddle's own is a match
_run = _C_ops._run_custom_op


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


def depthwise(
    x: paddle.Tensor, weight: paddle.Tensor, stride: int, dilation: int, pads: Sequence[int]
) -> paddle.Tensor:
    """Convolve each channel of N×C×H×W with its own kernel of C×1×k×k, k in 3, 5.

    ``pads`` is top, bottom, left, right, each at most ``dilation * (k - 1)``; ``stride`` is 1 or 2.
    """
    return _run("portrait_depthwise", x, weight, stride, dilation, list(pads))[0]


def pointwise(x: paddle.Tensor, weight: paddle.Tensor) -> paddle.Tensor:
    """Convolve N×C×H×W with a 1×1 kernel of O×C×1×1."""
    return _run("portrait_pointwise", x, weight)[0]


def stem(x: paddle.Tensor, weight: paddle.Tensor, stride: int, dilation: int, pads: Sequence[int]) -> paddle.Tensor:
    """Convolve a network's input N×C×H×W, which gets no gradient, with O×C×kh×kw."""
    return _run("portrait_stem", x, weight, stride, dilation, list(pads))[0]


def batch_norm(
    x: paddle.Tensor,
    scale: paddle.Tensor,
    shift: paddle.Tensor,
    running_mean: paddle.Tensor,
    running_variance: paddle.Tensor,
    momentum: float,
    epsilon: float,
    relu: bool,
) -> paddle.Tensor:
    """Normalise N×C×H×W by the batch's own mean and (biased) variance, then ReLU when asked.

    The running statistics move in place, ``running = momentum * running + (1 - momentum) * batch``.
    """
    return _run("portrait_batch_norm", x, scale, shift, running_mean, running_variance, momentum, epsilon, relu)[0]


def max_pool(x: paddle.Tensor, size: int, stride: int, padding: int) -> paddle.Tensor:
    """Take the maximum over square windows of 2 or 3; among equals the first gets the gradient."""
    return _run("portrait_max_pool", x, size, stride, padding)[0]


def resize(x: paddle.Tensor, height: int, width: int, align_corners: bool) -> paddle.Tensor:
    """Resize N×C×H×W bilinearly, with half-pixel centres unless the corners are aligned."""
    return _run("portrait_resize", x, height, width, align_corners)[0]


def interleave(first: paddle.Tensor, second: paddle.Tensor) -> paddle.Tensor:
    """Return N×2C×H×W whose channels are those of two N×C×H×W tensors in turn."""
    return _run("portrait_interleave", first, second)[0]
