"""What the user's network sees of the kernels: nothing but speed."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_portrait import kernels
from paddle_portrait.errors import UserError
from paddle_portrait.kernels import operators
from paddle_portrait.losses import BoundaryBandLoss, CrossEntropyLoss, DiceLoss

pytestmark = pytest.mark.usefixtures("built")


class Net(nn.Layer):
    """One of each kind of layer that the kernels replace."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2D(3, 8, 3, stride=2, padding=1, bias_attr=False)
        self.norm = nn.BatchNorm2D(8)
        self.depthwise = nn.Conv2D(8, 8, 3, padding=1, groups=8)
        self.pointwise = nn.Conv2D(8, 6, 1)
        self.grouped = nn.Conv2D(6, 6, 3, padding="same", groups=2)
        self.pool = nn.MaxPool2D(3, 1, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        x = kernels.batch_norm_relu(self.stem(x), self.norm)
        return self.pool(self.grouped(self.pointwise(self.depthwise(x))))


@pytest.fixture()
def net() -> Net:
    paddle.seed(7)
    return kernels.accelerate(Net())


def image(*shape: int) -> paddle.Tensor:
    return paddle.to_tensor(np.random.default_rng(3).standard_normal(shape or (2, 3, 20, 24)).astype(np.float32))


def operators_called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the names of the operators that run from here on."""
    names: list[str] = []
    run = operators._run

    def record(name: str, *args: object) -> object:
        names.append(name.removeprefix("portrait_"))
        return run(name, *args)

    monkeypatch.setattr(operators, "_run", record)
    return names


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "padding": [0, 1, 2, 1], "stride": 2},
        {"kernel_size": 3, "padding": 2, "dilation": 2, "bias_attr": False},
        {"kernel_size": 3, "padding": "SAME", "stride": 2},
        {"kernel_size": 1},
    ],
)
def test_many_weights_on_few_pixels_become_one_product(
    options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    paddle.seed(1)
    layer, x = nn.Conv2D(384, 384, **options), image(2, 384, 5, 6)
    x.stop_gradient = False
    answers = []
    for _ in range(2):
        y = layer(x)
        y.square().sum().backward()
        answers.append([y.numpy(), x.grad.numpy(), layer.weight.grad.numpy()])
        x.clear_gradient()
        layer.clear_gradients()
        kernels.accelerate(layer)
        called = operators_called(monkeypatch)
    assert called == []
    for stock, ours in zip(*answers, strict=True):
        np.testing.assert_allclose(ours, stock, atol=3e-6 * np.abs(stock).max())


def test_training_on_a_cpu_takes_every_kernel(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    called = operators_called(monkeypatch)
    net(image()).sum().backward()
    assert called == ["stem", "batch_norm", "depthwise", "pointwise", "dense", "max_pool"]
    assert all(p.grad is not None for p in net.parameters() if not p.stop_gradient)


@pytest.mark.parametrize("case", ["eval", "no_grad", "off", "float64", "restored"])
def test_everything_else_takes_the_stock_path(case: str, net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    called = operators_called(monkeypatch)
    x = image()
    if case == "eval":
        net.eval()
    elif case == "off":
        kernels.use_kernels("off")
    elif case == "float64":
        net.to(dtype="float64")
        x = x.astype("float64")
    elif case == "restored":
        kernels.restore(net)
        kernels.use_kernels("off")
    with paddle.set_grad_enabled(case != "no_grad"):
        net(x)
    assert called == []


def gate_layers() -> tuple[nn.Conv2D, nn.Conv2D]:
    paddle.seed(2)
    return nn.Conv2D(3, 2, 1), nn.Conv2D(2, 3, 1)


def wanted(x: paddle.Tensor) -> paddle.Tensor:
    x.stop_gradient = False
    return x


def test_squeeze_and_excite_is_one_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    called = operators_called(monkeypatch)
    kernels.gate_channels(wanted(image()), *gate_layers(), wanted(image())).sum().backward()
    assert called == ["channel_gate"]


@pytest.mark.parametrize("case", ["eval", "no_grad", "off", "hooked", "without bias", "wider"])
@pytest.mark.parametrize("added", [False, True])
def test_squeeze_and_excite_else_calls_its_layers(added: bool, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    squeeze, excite = gate_layers()
    tensors = [wanted(image()) for _ in range(1 + added)]
    ours = kernels.gate_channels(tensors[0], squeeze, excite, *tensors[1:]).numpy()
    called = operators_called(monkeypatch)
    if case == "eval":
        excite.eval()
    elif case == "off":
        kernels.use_kernels("off")
    elif case == "hooked":
        squeeze.register_forward_post_hook(lambda layer, inputs, output: 2.0 * output)
    elif case == "without bias":
        excite.bias = None
    elif case == "wider":
        squeeze = nn.Conv2D(3, 2, 3, padding=1)
    with paddle.set_grad_enabled(case != "no_grad"):
        stock = kernels.gate_channels(tensors[0], squeeze, excite, *tensors[1:]).numpy()
    assert called == []
    same = case in ("eval", "no_grad", "off", "without bias")  # biases start at zero
    assert np.allclose(stock, ours, atol=1e-6) == same


def test_an_addend_that_is_broadcast_never_reaches_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    called = operators_called(monkeypatch)
    x, addend = wanted(image()), wanted(image(2, 3, 1, 1))
    kernels.gate_channels(x, *gate_layers(), addend).sum().backward()
    assert called == []
    assert addend.grad.shape == [2, 3, 1, 1]


def test_layers_of_other_widths_are_refused_by_paddle_and_never_reach_the_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called = operators_called(monkeypatch)
    for squeeze, excite in ((nn.Conv2D(4, 2, 1), nn.Conv2D(2, 3, 1)), (nn.Conv2D(3, 2, 1), nn.Conv2D(4, 3, 1))):
        with pytest.raises(ValueError, match="channel"):
            kernels.gate_channels(wanted(image()), squeeze, excite)
    assert called == []


@pytest.mark.parametrize("loss", [CrossEntropyLoss(), CrossEntropyLoss([0.3, 2.0]), DiceLoss(), BoundaryBandLoss(5)])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("counting", [True, False])
@pytest.mark.parametrize("channels", [1, 2])
def test_losses_are_the_same_on_kernels(loss: nn.Layer, channels: int, counting: bool, soft: bool) -> None:
    rng = np.random.default_rng(4)
    labels = rng.random((2, 9, 11)).astype(np.float32) if soft else rng.integers(0, 2, (2, 9, 11))
    labels[0 if counting else slice(None), 2 if counting else slice(None)] = 255
    found = []
    for mode in ("off", "on"):
        kernels.use_kernels(mode)
        logits = wanted(image(2, channels, 9, 11))
        value = loss(logits, paddle.to_tensor(labels))
        value.backward()
        found.append((value.numpy(), logits.grad.numpy()))
    for stock, ours in zip(*found, strict=True):
        np.testing.assert_allclose(ours, stock, rtol=1e-5, atol=1e-7)


def test_losses_look_at_labels_by_kernels_in_training_only(monkeypatch: pytest.MonkeyPatch) -> None:
    called = operators_called(monkeypatch)
    logits, labels = wanted(image(2, 1, 5, 6)), paddle.zeros([2, 5, 6], "int64")
    with paddle.no_grad():
        DiceLoss()(logits, labels)
    assert called == []
    DiceLoss()(logits, labels)
    assert called == ["read_labels", "overlaps"]


def test_state_dict_and_structure_stay(net: Net) -> None:
    plain = Net()
    assert list(net.state_dict()) == list(plain.state_dict())
    assert [name for name, _ in net.named_sublayers()] == [name for name, _ in plain.named_sublayers()]
    plain.set_state_dict(net.state_dict())
    net.eval(), plain.eval()
    np.testing.assert_array_equal(net(image()).numpy(), plain(image()).numpy())


def test_restore_leaves_no_trace(net: Net) -> None:
    kernels.restore(kernels.accelerate(net))
    assert not any("forward" in layer.__dict__ for layer in net.sublayers(include_self=True))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net.depthwise))])
def test_a_copy_computes_with_its_own_weights(duplicate, net: Net) -> None:
    twin = duplicate(net)
    for parameter in twin.parameters():
        parameter.set_value(paddle.zeros_like(parameter))
    x = image() if isinstance(twin, Net) else image(1, 8, 5, 5)
    assert float(twin(x).abs().max()) == 0.0
    assert float(net(image()).abs().max()) > 0.0


def test_hooks_are_called(net: Net) -> None:
    seen: list[str] = []
    for name, layer in net.named_sublayers():
        layer.register_forward_post_hook(lambda layer, inputs, output, name=name: seen.append(name))
    net(image())
    assert seen == [name for name, _ in net.named_sublayers()]


@pytest.mark.parametrize("training", [False, True])
def test_export_writes_stock_operators(training: bool, net: Net, tmp_path: Path) -> None:
    (net.train if training else net.eval)()
    paddle.jit.save(net, str(tmp_path / "net"), input_spec=[paddle.static.InputSpec([None, 3, 20, 24], "float32")])
    graph = "".join(path.read_text(errors="replace") for path in tmp_path.iterdir())
    assert "portrait" not in graph
    net.eval()
    again = paddle.jit.load(str(tmp_path / "net"))
    again.eval()
    np.testing.assert_allclose(again(image()).numpy(), net(image()).numpy(), atol=1e-5)


def test_views_are_read_as_what_they_show(net: Net) -> None:
    whole = image(2, 16, 10, 12)
    results = []
    for mode in ("off", "on"):
        kernels.use_kernels(mode)
        first, second = paddle.split(whole, 2, axis=1)
        turned = second.transpose([0, 1, 3, 2]).transpose([0, 1, 3, 2])
        results.append(net.pointwise(net.depthwise(first) + turned).numpy())
    np.testing.assert_allclose(results[1], results[0], atol=1e-5)


def test_a_nan_shows(net: Net) -> None:
    x = image()
    x[0, 0, 0, 0] = float("nan")
    assert np.isnan(net(x).numpy()).any()


@pytest.mark.parametrize("batch", [1, 3])
def test_one_image_and_one_pixel(batch: int, net: Net) -> None:
    y = net(image(batch, 3, 1, 1))
    y.sum().backward()
    assert y.shape == [batch, 6, 1, 1]
    assert np.isfinite(y.numpy()).all()


def test_unknown_mode_is_named() -> None:
    with pytest.raises(UserError, match=r"unknown kernel mode 'onn'.*Did you mean 'on'"):
        kernels.use_kernels("onn")


_TRAIN_AND_PRINT = """
import hashlib, sys
import numpy as np, paddle
from paddle_portrait import kernels
from paddle_portrait.losses import CrossEntropyLoss, DiceLoss
from paddle_portrait.models import MediaPipeSelfie, PPHumanSegLite
kernels.use_kernels("on")
paddle.seed(1)
net = kernels.accelerate(PPHumanSegLite() if sys.argv[1] == "lite" else MediaPipeSelfie(batch_norm=True))
optimizer = paddle.optimizer.Momentum(0.01, parameters=net.parameters())
rng = np.random.default_rng(0)
for _ in range(3):
    logits = net(paddle.to_tensor(rng.standard_normal((3, 3, 64, 72)).astype(np.float32))).logits
    labels = paddle.to_tensor(rng.integers(0, 2, (3, 64, 72)))
    (CrossEntropyLoss()(logits, labels) + DiceLoss()(logits, labels)).backward()
    optimizer.step()
    optimizer.clear_grad()
digest = hashlib.sha256()
for value in net.state_dict().values():
    digest.update(value.numpy().tobytes())
print(digest.hexdigest())
"""


@pytest.mark.parametrize("network", ["lite", "selfie"])
def test_the_bits_do_not_depend_on_run_or_threads(network: str) -> None:
    digests = set()
    for threads in ("1", "1", "2"):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _TRAIN_AND_PRINT, network],
            env=os.environ | {"OMP_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout.split()[-1])
    assert len(digests) == 1
