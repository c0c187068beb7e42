"""Each operator against float64: at most twice the stock kernel's error, forward and every gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_portrait import kernels

pytestmark = pytest.mark.usefixtures("built")

# One rounding of the result to float32: no kernel can be asked to be better than that.
ROUNDING = 6e-8
Arrays = dict[str, np.ndarray]


def results(layer: nn.Layer, call: Callable[[Any], Any], x: np.ndarray, seed: int = 5, frozen: bool = False) -> Arrays:
    """Run ``call`` forward and backward; return its output and all gradients as float64 arrays."""
    layer.train()
    layer.clear_gradients()
    tensor = paddle.to_tensor(x)
    tensor.stop_gradient = frozen
    y = call(tensor)
    grad = np.random.default_rng(seed).standard_normal(y.shape).astype(x.dtype)
    y.backward(paddle.to_tensor(grad.astype(np.float32).astype(x.dtype)))
    found = {"output": y.numpy()} | {name: p.grad.numpy() for name, p in layer.named_parameters() if p.grad is not None}
    if not frozen:
        found["input"] = tensor.grad.numpy()
    return {name: value.astype(np.float64) for name, value in found.items()}


def compare(
    build: Callable[[], nn.Layer], shape: tuple[int, ...], scale: float = 1.0, shift: float = 0.0, **how: Any
) -> None:
    """Assert that the kernel's L2 error is at most twice the stock kernel's.

    Results of a few values are drawn several times: two roundings of six numbers differ by chance alone.
    """
    squares: dict[str, np.ndarray] = {}
    for draw in range(8 if np.prod(shape) < 2000 else 1):
        paddle.seed(draw)
        for name, errors in squared_errors(build(), shift + scale * noise(*shape, seed=draw), **how).items():
            squares[name] = squares.get(name, 0) + errors
    for name, (kernel, stock, truth) in squares.items():
        assert np.sqrt(kernel) <= 2 * np.sqrt(stock) + ROUNDING * np.sqrt(truth), name


def squared_errors(layer: nn.Layer, x: np.ndarray, relu: bool = False, frozen: bool = False) -> Arrays:
    """Return for each result the squared L2 of the kernel's error, of the stock kernel's, and of the truth."""

    def stock_call(t: paddle.Tensor) -> paddle.Tensor:
        return F.relu(layer(t)) if relu else layer(t)

    stock = results(layer, stock_call, x, frozen=frozen)
    kernel = results(layer, lambda t: through_kernel(layer, t, relu), x, frozen=frozen)
    layer.to(dtype="float64")
    exact = results(layer, stock_call, x.astype(np.float64), frozen=frozen)
    assert kernel.keys() == exact.keys()
    return {
        name: np.array([((kernel[name] - truth) ** 2).sum(), ((stock[name] - truth) ** 2).sum(), (truth**2).sum()])
        for name, truth in exact.items()
    }


def through_kernel(layer: nn.Layer, x: paddle.Tensor, relu: bool) -> paddle.Tensor:
    if isinstance(layer, nn.BatchNorm2D):
        y = (kernels.batch_norm_relu if relu else kernels.batch_norm)(x, layer)
    else:
        y = kernels.accelerate(layer)(x)
        kernels.restore(layer)
    assert uses_kernel(y), "the call took the stock path"
    return y


def uses_kernel(y: paddle.Tensor) -> bool:
    """Whether the graph behind ``y`` starts with one of our operators (behind the bias, if any)."""
    node = y.grad_fn
    if "Add" in node.name():
        node = node.next_functions[0]
    return "portrait" in node.name() or "CustomOp" in node.name()


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 5), (12, 12), (33, 17), (2, 40), (48, 31)])
def test_depthwise(height: int, width: int, dilation: int, stride: int, kernel_size: int) -> None:
    padding = kernel_size // 2 * dilation
    compare(
        lambda: nn.Conv2D(5, 5, kernel_size, stride, padding, dilation=dilation, groups=5, bias_attr=False),
        (3, 5, height, width),
    )


@pytest.mark.parametrize("padding", [0, 1, 2, [0, 1], [0, 1, 2, 0], [[0, 0], [0, 0], [0, 1], [0, 1]]])
@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_with_uneven_padding(padding: Any, stride: int) -> None:
    compare(lambda: nn.Conv2D(4, 4, 3, stride, padding, groups=4, bias_attr=False), (2, 4, 11, 14))


def test_depthwise_with_bias() -> None:
    compare(lambda: nn.Conv2D(4, 4, 3, 1, 1, groups=4), (2, 4, 11, 14))


@pytest.mark.parametrize(("into", "out"), [(1, 1), (3, 7), (18, 36), (64, 2), (82, 64), (144, 17)])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (12, 12), (33, 17), (96, 96)])
def test_pointwise(height: int, width: int, into: int, out: int) -> None:
    compare(lambda: nn.Conv2D(into, out, 1, bias_attr=False), (3, into, height, width))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("channels", "size"), [(1, 3), (3, 3), (4, 5)])
@pytest.mark.parametrize(("height", "width"), [(5, 6), (33, 47)])
def test_stem(height: int, width: int, channels: int, size: int, stride: int) -> None:
    compare(
        lambda: nn.Conv2D(channels, 9, size, stride, size // 2, bias_attr=False),
        (2, channels, height, width),
        frozen=True,
    )


def uneven_batch_norm() -> nn.BatchNorm2D:
    layer = nn.BatchNorm2D(6)
    layer.weight.set_value(1 + 0.5 * noise(6, seed=1))
    layer.bias.set_value(noise(6, seed=2))
    return layer


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("height", "width"), [(1, 2), (7, 5), (24, 24), (33, 67)])
@pytest.mark.parametrize(
    ("mean", "spread"), [(0.0, 1.0), (3.0, 1.0), (1.0, 3e-3), (-2.0, 1e-3), (0.0, 1e-4), (0.0, 0.0), (100.0, 1.0)]
)
def test_batch_norm(mean: float, spread: float, height: int, width: int, relu: bool) -> None:
    compare(uneven_batch_norm, (4, 6, height, width), spread, mean, relu=relu)


@pytest.mark.parametrize("momentum", [0.9, 0.1, 0.99])
def test_running_statistics_move_as_stock(momentum: float) -> None:
    moved = []
    for mode in ("off", "on"):
        kernels.use_kernels(mode)
        layer = nn.BatchNorm2D(6, momentum=momentum)
        for step in range(3):
            kernels.batch_norm(paddle.to_tensor(2 + noise(2, 6, 5, 7, seed=step), stop_gradient=False), layer)
        moved.append((layer._mean.numpy(), layer._variance.numpy()))
    for stock, ours in zip(*moved, strict=True):
        np.testing.assert_allclose(ours, stock, rtol=1e-6, atol=1e-7)
