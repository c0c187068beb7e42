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
from paddle_portrait.kernels import operators

pytestmark = pytest.mark.usefixtures("built")

# One rounding of the result to float32: no kernel can be asked to be better than that.
ROUNDING = 6e-8
STOCK = {"relu": F.relu, "relu6": F.relu6, "hard_swish": F.hardswish}
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

    Cases are drawn several times and taken together: two roundings of a few numbers differ by chance alone.
    """
    squares: dict[str, np.ndarray] = {}
    for draw in range(8 if np.prod(shape) < 20_000 else 3):
        paddle.seed(draw)
        for name, errors in squared_errors(build(), shift + scale * noise(*shape, seed=draw), **how).items():
            squares[name] = squares.get(name, 0) + errors
    for name, (kernel, stock, truth) in squares.items():
        assert np.sqrt(kernel) <= 2 * np.sqrt(stock) + ROUNDING * np.sqrt(truth), name


def squared_errors(layer: nn.Layer, x: np.ndarray, activation: str | None = None, frozen: bool = False) -> Arrays:
    """Return for each result the squared L2 of the kernel's error, of the stock kernel's, and of the truth."""

    def stock_call(t: paddle.Tensor) -> paddle.Tensor:
        return layer(t) if activation is None else STOCK[activation](layer(t))

    stock = results(layer, stock_call, x, frozen=frozen)
    kernel = results(layer, lambda t: through_kernel(layer, t, activation), x, frozen=frozen)
    layer.to(dtype="float64")
    exact = results(layer, stock_call, x.astype(np.float64), frozen=frozen)
    assert kernel.keys() == exact.keys()
    return {
        name: np.array([((kernel[name] - truth) ** 2).sum(), ((stock[name] - truth) ** 2).sum(), (truth**2).sum()])
        for name, truth in exact.items()
    }


def through_kernel(layer: nn.Layer, x: paddle.Tensor, activation: str | None) -> paddle.Tensor:
    if isinstance(layer, Separable):
        y = kernels.separable_convolution(x, layer.depthwise, layer.norm, layer.pointwise)
    elif isinstance(layer, Gate):
        first, *addend = layer.parts(x)
        y = kernels.gate_channels(first, layer.squeeze, layer.excite, *addend)
    elif isinstance(layer, nn.BatchNorm2D):
        y = kernels.batch_norm(x, layer, activation)
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
    return np.asarray(np.random.default_rng(seed).standard_normal(shape), np.float32)


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


@pytest.mark.parametrize(
    "convolution",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "padding": 1, "stride": 2},
        {"kernel_size": 3, "padding": 2, "dilation": 2},
        {"kernel_size": 3, "padding": 4, "stride": 2},  # outputs that see nothing but padding
        {"kernel_size": 5, "padding": 2, "stride": 3, "groups": 2},
        {"kernel_size": [3, 1], "padding": [1, 0], "groups": 4},
        {"kernel_size": 2, "stride": 2},
        {"kernel_size": 1, "stride": 2},
        {"kernel_size": 1, "groups": 4},
        {"kernel_size": 3, "padding": "SAME", "stride": 2},
        {"kernel_size": 3, "padding": "VALID"},
        {"kernel_size": 3, "padding": [0, 1, 0, 1], "stride": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize(("height", "width"), [(9, 13), (20, 34)])
def test_dense(height: int, width: int, convolution: dict[str, Any]) -> None:
    compare(lambda: nn.Conv2D(8, 12, **convolution), (2, 8, height, width))


def test_dense_of_many_channels() -> None:
    compare(lambda: nn.Conv2D(70, 37, 3, padding=1), (2, 70, 9, 7))


@pytest.mark.parametrize(
    "convolution",
    [
        {"kernel_size": 2, "stride": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1},
        {"kernel_size": 3, "stride": 2, "padding": "SAME"},
        {"kernel_size": 3, "stride": 2, "padding": [0, 1, 0, 1], "bias_attr": False},
        {"kernel_size": 4, "stride": 2, "padding": 1},
        {"kernel_size": 3, "stride": 3, "dilation": 2, "groups": 2},
        {"kernel_size": 1},
        {"kernel_size": 4, "stride": 2, "padding": 1, "groups": 6},
        {"kernel_size": 3, "stride": 1, "padding": 1, "groups": 6},
        {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1, "groups": 6},
    ],
    ids=str,
)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 8), (17, 13)])
def test_transposed(height: int, width: int, convolution: dict[str, Any]) -> None:
    out = 6 if convolution.get("groups") == 6 else 4
    compare(lambda: nn.Conv2DTranspose(6, out, **convolution), (2, 6, height, width))


def uneven_batch_norm() -> nn.BatchNorm2D:
    layer = nn.BatchNorm2D(6)
    layer.weight.set_value(1 + 0.5 * noise(6, seed=1))
    layer.bias.set_value(noise(6, seed=2))
    return layer


@pytest.mark.parametrize("activation", [None, "relu", "relu6", "hard_swish"])
@pytest.mark.parametrize(("height", "width"), [(1, 2), (7, 5), (24, 24), (33, 67)])
@pytest.mark.parametrize(
    ("mean", "spread"), [(0.0, 1.0), (3.0, 1.0), (1.0, 3e-3), (-2.0, 1e-3), (0.0, 1e-4), (0.0, 0.0), (100.0, 1.0)]
)
def test_batch_norm(mean: float, spread: float, height: int, width: int, activation: str | None) -> None:
    compare(uneven_batch_norm, (4, 6, height, width), spread, mean, activation=activation)


class Separable(nn.Layer):
    """Depthwise convolution, batch norm and 1×1 convolution, one after the other."""

    def __init__(self, kernel_size: int, stride: int, dilation: int = 1) -> None:
        super().__init__()
        padding = kernel_size // 2 * dilation
        self.depthwise = nn.Conv2D(6, 6, kernel_size, stride, padding, dilation, groups=6, bias_attr=False)
        self.norm = uneven_batch_norm()
        self.pointwise = nn.Conv2D(6, 9, 1, bias_attr=False)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.pointwise(self.norm(self.depthwise(x)))


@pytest.mark.parametrize("how", [(3, 1), (3, 2), (5, 1), (5, 2), (3, 1, 3)], ids=str)
@pytest.mark.parametrize(("height", "width"), [(2, 3), (7, 5), (24, 24), (33, 67)])
@pytest.mark.parametrize(("mean", "spread"), [(0.0, 1.0), (3.0, 1.0), (1.0, 3e-3), (0.0, 1e-4)])
def test_separable(mean: float, spread: float, height: int, width: int, how: tuple[int, ...]) -> None:
    compare(lambda: Separable(*how), (4, 6, height, width), spread, mean)


class Gate(nn.Layer):
    """Squeeze and excite of 5 channels, written out; with ``added``, the other half of 10 channels is the addend."""

    def __init__(self, squeezed: int, added: bool) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.Conv2D(5, squeezed, 1), nn.Conv2D(squeezed, 5, 1)
        self.squeeze.bias.set_value(noise(squeezed, seed=3))
        self.excite.bias.set_value(noise(5, seed=4))
        self.added = added

    def parts(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        return paddle.split(x, 2, axis=1) if self.added else [x]

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        x, *addend = self.parts(x)
        means = paddle.add_n([x, *addend]).mean(axis=[2, 3], keepdim=True)
        return paddle.add_n([x * F.sigmoid(self.excite(F.relu(self.squeeze(means)))), *addend])


@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("squeezed", [2, 7])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (19, 31)])
@pytest.mark.parametrize(("mean", "spread"), [(0.0, 1.0), (3.0, 1.0), (-2.0, 1e-3)])
def test_channel_gate(mean: float, spread: float, height: int, width: int, squeezed: int, added: bool) -> None:
    compare(lambda: Gate(squeezed, added), (3, 10 if added else 5, height, width), spread, mean)


@pytest.mark.parametrize("slopes", [1, 6])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 5), (33, 67)])
def test_prelu(height: int, width: int, slopes: int) -> None:
    compare(lambda: nn.PReLU(slopes, 0.3), (3, 6, height, width))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 5), (33, 67)])
def test_hard_swish(height: int, width: int) -> None:
    compare(nn.Hardswish, (3, 6, height, width), 3.0)


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


Function = Callable[[paddle.Tensor], paddle.Tensor]


def compare_function(
    ours: Function,
    stock: Function,
    shape: tuple[int, ...],
    round_to: float | None = None,
    exact: Function | None = None,
) -> None:
    """As :func:`compare`, for a function without parameters; ``round_to`` makes equal values likely.

    ``exact`` replaces the stock function in float64 where that is not exact itself.
    """
    x = noise(*shape)
    if round_to is not None:
        x = (np.round(x / round_to) * round_to).astype(np.float32)
    errors: dict[str, list[float]] = {}
    grad = noise(*stock(paddle.to_tensor(x)).shape, seed=9)
    for function, dtype in ((ours, np.float32), (stock, np.float32), (exact or stock, np.float64)):
        tensor = paddle.to_tensor(x.astype(dtype), stop_gradient=False)
        y = function(tensor)
        assert uses_kernel(y) == (function is ours)
        y.backward(paddle.to_tensor(grad.astype(dtype)))
        for name, value in {"output": y, "input": tensor.grad}.items():
            errors.setdefault(name, []).append(value.numpy().astype(np.float64))
    for name, (kernel, plain, truth) in errors.items():
        bound = 2 * np.linalg.norm(plain - truth) + ROUNDING * np.linalg.norm(truth)
        assert np.linalg.norm(kernel - truth) <= bound, name


@pytest.mark.parametrize(("size", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 1, 0), (3, 2, 0)])
@pytest.mark.parametrize(("height", "width"), [(3, 4), (7, 9), (12, 33), (48, 48)])
def test_max_pool_and_its_ties(height: int, width: int, size: int, stride: int, padding: int) -> None:
    compare_function(
        lambda x: kernels.max_pool2d(x, size, stride, padding),
        lambda x: F.max_pool2d(x, size, stride, padding),
        (2, 3, height, width),
        round_to=0.5,
    )


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(
    ("source", "target"),
    [((12, 12), (96, 96)), ((7, 5), (13, 16)), ((9, 20), (4, 7)), ((1, 1), (3, 5)), ((5, 4), (1, 1))],
)
def test_resize(source: tuple[int, int], target: tuple[int, int], align_corners: bool) -> None:
    rows, columns = (
        paddle.to_tensor(linear_matrix(*lengths, align_corners)) for lengths in zip(source, target, strict=True)
    )
    compare_function(
        lambda x: kernels.resize_bilinear(x, target, align_corners),
        lambda x: F.interpolate(x, size=target, mode="bilinear", align_corners=align_corners),
        (2, 3, *source),
        exact=lambda x: paddle.matmul(paddle.matmul(rows, x), columns, transpose_y=True),
    )


def linear_matrix(source: int, target: int, align_corners: bool) -> np.ndarray:
    """Return the float64 matrix of linear interpolation; Paddle's own computes positions in float32 always."""
    index = np.arange(target)
    position = index * (source - 1) / max(target - 1, 1) if align_corners else (index + 0.5) * source / target - 0.5
    if target == 1:
        position = np.zeros(1)  # what Paddle does
    return np.stack([np.interp(position, np.arange(source), unit) for unit in np.eye(source)], axis=1)


@pytest.mark.parametrize("channels", [1, 5, 36])
def test_interleave(channels: int) -> None:
    def shuffle(x: paddle.Tensor) -> paddle.Tensor:
        stacked = paddle.reshape(x, [2, 2, channels, 7, 6]).transpose([0, 2, 1, 3, 4])
        return paddle.reshape(stacked, [2, 2 * channels, 7, 6])

    compare_function(
        lambda x: kernels.interleave_channels(*paddle.split(x, 2, axis=1)), shuffle, (2, 2 * channels, 7, 6)
    )


def test_class_margin() -> None:
    compare_function(kernels.class_margin, lambda x: x[:, 1] - x[:, 0], (3, 2, 7, 9))


def two_classes(shape: tuple[int, ...], soft: bool) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Return targets and which pixels count, float64."""
    person = np.random.default_rng(1).random(shape)
    valid = np.random.default_rng(2).random(shape) > 0.2
    person = (person if soft else np.round(person)) * valid
    return paddle.to_tensor(person), paddle.to_tensor(valid.astype(np.float64))


@pytest.mark.parametrize("spread", [1e-3, 1.0, 15.0])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 5), (3, 61, 67)])
def test_binary_cross_entropy(shape: tuple[int, ...], soft: bool, spread: float) -> None:
    person, valid = two_classes(shape, soft)
    weights = valid * paddle.to_tensor(np.random.default_rng(3).random(shape)) + 1e-3

    def mean(values: paddle.Tensor) -> paddle.Tensor:
        counts = weights.astype(values.dtype)
        return (values * counts).sum() / counts.sum()

    compare_function(
        lambda x: kernels.binary_cross_entropy(spread * x, person.astype(x.dtype), weights.astype(x.dtype)),
        lambda x: mean(F.softplus(spread * x) - person.astype(x.dtype) * (spread * x)),
        shape,
        exact=lambda x: mean(F.relu(spread * x) - person * (spread * x) + paddle.log1p(paddle.exp(-spread * x.abs()))),
    )


@pytest.mark.parametrize("spread", [1e-3, 1.0, 15.0])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 5), (3, 61, 67)])
def test_overlaps(shape: tuple[int, ...], soft: bool, spread: float) -> None:
    person, valid = two_classes(shape, soft)

    def written_out(x: paddle.Tensor, background: Function) -> paddle.Tensor:
        p, t, counts = F.sigmoid(spread * x), person.astype(x.dtype), valid.astype(x.dtype)
        pairs = [(background(x), 1 - t), (p, t)]
        sums = [[(counts * p * t).sum(), (counts * p * p).sum(), (counts * t * t).sum()] for p, t in pairs]
        return paddle.stack([paddle.stack(row) for row in sums])

    compare_function(
        lambda x: operators.overlaps(spread * x, person.astype(x.dtype), valid.astype(x.dtype)),
        lambda x: written_out(x, lambda x: 1 - F.sigmoid(spread * x)),
        shape,
        exact=lambda x: written_out(x, lambda x: F.sigmoid(-spread * x)),
    )


def test_margins_as_sure_as_floats_can_be() -> None:
    for value, person, expected, slope in [
        (1e4, 1.0, 0, 0),
        (-1e4, 1.0, 1e4, -1),
        (1e4, 0.0, 1e4, 1),
        (-1e4, 0.0, 0, 0),
        (30.0, 1.0, np.exp(-30), -np.exp(-30)),
        (float("nan"), 1.0, np.nan, np.nan),
    ]:
        margin = paddle.to_tensor([value], stop_gradient=False)
        loss = kernels.binary_cross_entropy(margin, paddle.to_tensor([person]), paddle.ones([1]))
        loss.backward()
        np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-5, atol=1e-37)
        np.testing.assert_allclose(margin.grad.numpy(), [slope], rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize("ignore_index", [255, 0, -1, 1 << 40])
def test_read_labels(ignore_index: int) -> None:
    labels = np.random.default_rng(0).choice([0, 1, 2, ignore_index], (3, 7, 9))
    person, valid = kernels.read_labels(paddle.to_tensor(labels), ignore_index)
    np.testing.assert_array_equal(valid.numpy(), np.float32(labels != ignore_index))
    np.testing.assert_array_equal(person.numpy(), np.where(labels == ignore_index, 0, labels).astype(np.float32))


@pytest.mark.parametrize("mode", ["off", "on"])
def test_moved_averages(mode: str) -> None:
    kernels.use_kernels(mode)
    shapes = [(3, 4, 5), (), (7,), (0,)]
    averages = [paddle.to_tensor(noise(*shape, seed=1)) for shape in shapes]
    values = [paddle.to_tensor(noise(*shape, seed=2), stop_gradient=False) for shape in shapes]
    expected = [a.numpy() + 0.25 * (v.numpy() - a.numpy()) for a, v in zip(averages, values, strict=True)]
    kernels.move_averages(averages, values, 0.25)
    for average, right in zip(averages, expected, strict=True):
        np.testing.assert_allclose(average.numpy(), right, rtol=1e-6, atol=1e-7)
        assert average.stop_gradient
