"""CPU kernels for training: what Paddle's own do slowly, as custom operators built on the user's machine.

    accelerate(model)        # convolutions and batch norms of a built network, while it trains on a CPU
    use_kernels("off")       # "auto" (default), "on", "off": for the whole process

Nothing else changes: state dicts, exports, evaluation and GPU runs do not know that the kernels exist.
"""

from __future__ import annotations

from paddle_portrait.kernels.build import build_key
from paddle_portrait.kernels.functional import (
    applies_to,
    binary_cross_entropy,
    binary_overlaps,
    class_margin,
    interleave_channels,
    max_pool2d,
    move_averages,
    read_labels,
    resize_bilinear,
)
from paddle_portrait.kernels.layers import (
    accelerate,
    batch_norm,
    batch_norm_relu,
    gate_channels,
    restore,
    separable_convolution,
)
from paddle_portrait.kernels.switch import kernel_mode, kernels_ready, use_kernels, why_not

__all__ = [
    "accelerate",
    "applies_to",
    "batch_norm",
    "batch_norm_relu",
    "binary_cross_entropy",
    "binary_overlaps",
    "build_key",
    "class_margin",
    "gate_channels",
    "interleave_channels",
    "kernel_mode",
    "kernels_ready",
    "max_pool2d",
    "move_averages",
    "read_labels",
    "resize_bilinear",
    "restore",
    "separable_convolution",
    "use_kernels",
    "why_not",
]
