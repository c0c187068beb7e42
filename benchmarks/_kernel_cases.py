"""The operators that benchmarks/kernel_ops.py measures, and how."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # read when the libraries load, so before paddle

import statistics
import time
from collections.abc import Callable

import paddle
from paddle import nn

from paddle_portrait import kernels
from paddle_portrait.kernels.memory import keep_freed_memory
from paddle_portrait.losses import BoundaryBandLoss, CrossEntropyLoss, DiceLoss
from paddle_portrait.models import PPHumanSegLite

BATCH = 8
Call = Callable[[paddle.Tensor], paddle.Tensor]
Case = tuple[Callable[[], nn.Layer], Call | None, tuple[int, ...]]


def conv(into: int, out: int, size: int, image: int, **options: object) -> Case:
    """Return the case of a convolution layer on square images."""
    return (lambda: nn.Conv2D(into, out, size, **options), None, (into, image, image))


def up(into: int, out: int, size: int, image: int, **options: object) -> Case:
    """Return the case of a transposed convolution layer on square images."""
    return (lambda: nn.Conv2DTranspose(into, out, size, **options), None, (into, image, image))


def norm(channels: int, image: int, call: Callable[[paddle.Tensor, nn.Layer], paddle.Tensor]) -> Case:
    """Return the case of a batch norm and what follows it."""
    layer = nn.BatchNorm2D(channels)
    return (lambda: layer, lambda x: call(x, layer), (channels, image, image))


def layer_of(build: Callable[[], nn.Layer], channels: int, image: int) -> Case:
    """Return the case of any other layer on square images."""
    return (build, None, (channels, image, image))


class Separable(nn.Layer):
    """Depthwise convolution, batch norm, 1×1 convolution."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2D(into, into, 3, padding=1, groups=into, bias_attr=False)
        self.norm = nn.BatchNorm2D(into)
        self.pointwise = nn.Conv2D(into, out, 1, bias_attr=False)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map N×into×H×W to N×out×H×W."""
        return kernels.separable_convolution(x, self.depthwise, self.norm, self.pointwise)


class Gate(nn.Layer):
    """Squeeze and excite; ``added`` as in MediaPipe's decoder, onto the input itself."""

    def __init__(self, channels: int, squeezed: int, added: bool = False) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.Conv2D(channels, squeezed, 1), nn.Conv2D(squeezed, channels, 1)
        self.added = added

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map N×channels×H×W to the same shape."""
        return kernels.gate_channels(x, self.squeeze, self.excite, x if self.added else None)


def loss_of(loss: nn.Layer, image: int) -> Case:
    """Return the case of a loss of one logit a pixel, where a half of the picture is person."""
    labels = paddle.zeros([BATCH, image, image], "int64")
    labels[:, :, image // 2 :] = 1
    return function(1, image, lambda logits: loss(logits, labels))


def function(channels: int, image: int, call: Call) -> Case:
    """Return the case of something without weights."""
    return (nn.Identity, call, (channels, image, image))


CASES: dict[str, Case] = {
    "depthwise 3x3, 64 @96": conv(64, 64, 3, 96, padding=1, groups=64, bias_attr=False),
    "depthwise 3x3, 36 @24": conv(36, 36, 3, 24, padding=1, groups=36, bias_attr=False),
    "depthwise 3x3, 72 @12": conv(72, 72, 3, 12, padding=1, groups=72, bias_attr=False),
    "depthwise 3x3 stride 2, 36 @48": conv(36, 36, 3, 48, stride=2, padding=1, groups=36, bias_attr=False),
    "depthwise 3x3 stride 2, SAME, bias, 72 @64": conv(72, 72, 3, 64, stride=2, padding="SAME", groups=72),
    "depthwise 3x3 dilation 4, 64 @28": conv(64, 64, 3, 28, dilation=4, padding=4, groups=64, bias_attr=False),
    "depthwise 5x5, 64 @28": conv(64, 64, 5, 28, padding=2, groups=64, bias_attr=False),
    "depthwise 5x5 stride 2, 96 @28": conv(96, 96, 5, 28, stride=2, padding=2, groups=96, bias_attr=False),
    "1x1, 82 to 64 @96": conv(82, 64, 1, 96, bias_attr=False),
    "1x1, 36 to 36 @24": conv(36, 36, 1, 24, bias_attr=False),
    "1x1, 72 to 72 @12": conv(72, 72, 1, 12, bias_attr=False),
    "1x1, 96 to 576, bias @7": conv(96, 576, 1, 7),
    "1x1, 16 to 72, bias @56": conv(16, 72, 1, 56),
    "1x1 in 2 groups, 48 to 24 @56": conv(48, 24, 1, 56, groups=2, bias_attr=False),
    "stem 3x3 stride 2, 3 to 36 @192": conv(3, 36, 3, 192, stride=2, padding=1, bias_attr=False),
    "dense 3x3, 32 to 32, bias @56": conv(32, 32, 3, 56, padding=1),
    "dense 3x3 dilation 4, 8 to 128, bias @32": conv(8, 128, 3, 32, padding=4, dilation=4),
    "dense 3x3, 256 to 128 @14": conv(256, 128, 3, 14, padding=1, bias_attr=False),
    "transposed 2x2 stride 2, 32 to 32, bias @28": up(32, 32, 2, 28, stride=2),
    "transposed 3x3 stride 2, SAME, 96 to 32, bias @28": up(96, 32, 3, 28, stride=2, padding="SAME"),
    "transposed 4x4 stride 2, depthwise, 32 @28": up(32, 32, 4, 28, stride=2, padding=1, groups=32),
    "depthwise + batch norm + 1x1, 82 to 64 @96": layer_of(lambda: Separable(82, 64), 82, 96),
    "depthwise + batch norm + 1x1, 72 to 72 @12": layer_of(lambda: Separable(72, 72), 72, 12),
    "batch norm, 64 @96": norm(64, 96, kernels.batch_norm),
    "batch norm + ReLU, 64 @96": norm(64, 96, kernels.batch_norm_relu),
    "batch norm + ReLU, 36 @24": norm(36, 24, kernels.batch_norm_relu),
    "batch norm + hard-swish, 72 @56": norm(72, 56, lambda x, layer: kernels.batch_norm(x, layer, "hard_swish")),
    "squeeze and excite, 96 @16": layer_of(lambda: Gate(96, 24), 96, 16),
    "squeeze and excite, 16 @64": layer_of(lambda: Gate(16, 8), 16, 64),
    "squeeze and excite onto a sum, 16 @128": layer_of(lambda: Gate(16, 16, added=True), 16, 128),
    "PReLU, 32 @56": layer_of(lambda: nn.PReLU(32), 32, 56),
    "hard-swish, 72 @56": layer_of(nn.Hardswish, 72, 56),
    "max pool 3x3 stride 2, 36 @96": function(36, 96, lambda x: kernels.max_pool2d(x, 3, 2, 1)),
    "max pool 2x2, 32 @56": function(32, 56, lambda x: kernels.max_pool2d(x, 2, 2)),
    "bilinear x8, 64 @12": function(64, 12, lambda x: kernels.resize_bilinear(x, (96, 96))),
    "bilinear x2, 2 @96": function(2, 96, lambda x: kernels.resize_bilinear(x, (192, 192))),
    "interleave, 36 + 36 @24": function(36, 24, lambda x: kernels.interleave_channels(x, x)),
    "two-class margin @192": function(2, 192, kernels.class_margin),
    "CrossEntropyLoss, one logit @256": loss_of(CrossEntropyLoss(), 256),
    "BoundaryBandLoss, one logit @256": loss_of(BoundaryBandLoss(), 256),
    "DiceLoss, one logit @256": loss_of(DiceLoss(), 256),
}


def step_ms(call: Call, x: paddle.Tensor, grad: paddle.Tensor) -> float:
    """Return the processor time of one forward and backward pass."""
    start = time.process_time()
    call(x).backward(grad)
    return (time.process_time() - start) * 1e3


def interleaved_ms(calls: dict[str, Callable[[], float]], turns: int) -> dict[str, float]:
    """Return each call's median over turns in which all run once; a first turn warms up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(turns + 1):
        for name, call in calls.items():
            milliseconds = call()
            if turn:
                times[name].append(milliseconds)
    return {name: statistics.median(found) for name, found in times.items()}


def both_sides(call: Call, x: paddle.Tensor, grad: paddle.Tensor, turns: int) -> dict[str, float]:
    """Return the medians of stock and kernels, and their ratio."""

    def side(mode: str) -> float:
        kernels.use_kernels(mode)
        return step_ms(call, x, grad)

    medians = interleaved_ms({mode: lambda mode=mode: side(mode) for mode in ("off", "on")}, turns)
    return {
        "stock_ms": round(medians["off"], 3),
        "kernel_ms": round(medians["on"], 3),
        "ratio": round(medians["off"] / medians["on"], 2),
    }


def measure(case: Case, turns: int) -> dict[str, float]:
    """Return the figures of one operator."""
    build, call, shape = case
    paddle.seed(0)
    layer = kernels.accelerate(build())
    x = paddle.randn([BATCH, *shape])
    x.stop_gradient = shape[0] == 3  # a network's input needs no gradient
    call = call or layer
    return both_sides(call, x, paddle.randn(call(x).shape), turns)


def measure_network(turns: int) -> dict[str, float]:
    """Return the figures of PP-HumanSeg-Lite, and what it would take if freed memory went back to the system.

    Must run before anything else has told the allocator to keep memory.
    """
    kernels.use_kernels("off")  # accelerate() then leaves the allocator alone
    net = kernels.accelerate(PPHumanSegLite())
    x = paddle.randn([BATCH, 3, 192, 192])
    grad = paddle.randn([BATCH, 2, 192, 192])

    def call(images: paddle.Tensor) -> paddle.Tensor:
        return net(images).logits

    fresh_pages = both_sides(call, x, grad, turns)
    keep_freed_memory()
    kept = both_sides(call, x, grad, turns)
    return kept | {f"{name}_fresh_pages": fresh_pages[name] for name in ("stock_ms", "kernel_ms")}


def run(turns: int, only: str) -> dict[str, dict[str, float]]:
    """Return the figures of the operators whose name contains ``only``; where it is empty, also a whole network's."""
    figures = {} if only else {"PP-HumanSeg-Lite, forward and backward @192": measure_network(turns)}
    kernels.use_kernels("on")
    keep_freed_memory()
    for name, case in CASES.items():
        if only in name:
            figures[name] = measure(case, turns)
            print(f"{name:50s} {figures[name]}", flush=True)
    return figures
