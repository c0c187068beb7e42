"""Paddle.js files: read back and computed here, operator by operator; what the format cannot hold is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_portrait.convert.readers import paddlejs as reader
from paddle_portrait.export import ExportError, browser_runner, export_model
from paddle_portrait.export.paddlejs_rules import KNOWN
from paddle_portrait.export.targets import paddlejs as target


@pytest.fixture(autouse=True)
def no_browser(monkeypatch) -> None:
    """The files alone are looked at here; tests/web has what a browser makes of them."""
    monkeypatch.setattr(browser_runner, "BROWSERS", ())


def export(network: nn.Layer, transforms: list[dict], directory: Path, **options) -> Path:
    """Export for Paddle.js; return the folder."""
    network.eval()
    export_model(network, transforms, directory, ["paddlejs"], options.pop("output_op", "softmax"), **options)
    return directory / "paddlejs"


def compute(folder: Path, image: np.ndarray) -> np.ndarray:
    """Run a Paddle.js model by Paddle's functions, as its WebGL back end would.

    That back end cuts windows at the border of the picture, and knows the border above and on the left only. Of a list
    with one factor a channel it takes the first for all.
    """
    model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    held = {name: paddle.to_tensor(value) for name, value in reader.read(folder / "model.json").tensors.items()}
    for operator in model["ops"]:
        kind, given, attributes = operator["type"], operator["inputs"], operator["attrs"]
        made = next(iter(operator["outputs"].values()))[0]
        if kind == "feed":
            held[made] = paddle.to_tensor(image)
        elif kind == "fetch":
            return held[given["X"][0]].numpy()
        else:
            wanted = model["vars"][made]["shape"]
            held[made] = step(kind, {slot: [held[name] for name in names] for slot, names in given.items()}, attributes,
                              wanted)  # fmt: skip
            assert list(held[made].shape) == wanted, (kind, made)
    raise AssertionError("nothing is fetched")


def step(kind: str, given: dict, attributes: dict, wanted: list[int]) -> paddle.Tensor:
    """Compute one operator."""
    x = next(iter(given[slot] for slot in ("X", "Input") if slot in given))
    if kind in ("conv2d", "depthwise_conv2d"):
        top, left = attributes["paddings"]
        weight = given["Filter"][0]
        reach = [(count - 1) * stride + (size - 1) * spread + 1 for count, stride, size, spread in zip(
            wanted[2:], attributes["strides"], weight.shape[2:], attributes["dilations"], strict=True)]  # fmt: skip
        bottom, right = (max(0, r - side - start)
                         for r, side, start in zip(reach, x[0].shape[2:], (top, left), strict=True))  # fmt: skip
        padded = F.pad(x[0], [left, right, top, bottom])[:, :, : reach[0], : reach[1]]
        rules = {key: attributes[key] for key in ("dilations", "groups")}
        return F.conv2d(padded, weight, stride=attributes["strides"], dilation=rules["dilations"],
                        groups=rules["groups"])  # fmt: skip
    if kind == "batchnorm":
        names = ("Mean", "Variance", "Scale", "Bias")
        return F.batch_norm(x[0], *(given[name][0] for name in names), epsilon=attributes["epsilon"])
    if kind.startswith("elementwise_"):
        y = given["Y"][0]
        if attributes["axis"] == 1 and y.ndim == 1:
            y = y.reshape([1, -1, 1, 1])
            if kind in ("elementwise_mul", "elementwise_div"):
                y = y[:, :1]
        calls = {"add": paddle.add, "sub": paddle.subtract, "mul": paddle.multiply, "div": paddle.divide}
        return calls[kind.removeprefix("elementwise_")](x[0], y)
    if kind == "pool2d":
        assert attributes.get("global_pooling") or list(attributes["ksize"]) == [1, 1]
        return x[0].mean([2, 3], keepdim=True)
    if kind == "bilinear_interp_v2":
        return F.interpolate(x[0], wanted[2:], mode="bilinear", align_corners=attributes["align_corners"])
    if kind == "concat":
        return paddle.concat(x, axis=attributes["axis"])
    if kind == "scale":
        return x[0] * attributes["scale"] + attributes["bias"]
    if kind == "hard_sigmoid":
        return F.hardsigmoid(x[0], slope=attributes["slope"], offset=attributes["offset"])
    if kind == "leakyRelu":
        return F.leaky_relu(x[0], attributes["alpha"])
    simple = {"relu": F.relu, "relu6": F.relu6, "sigmoid": F.sigmoid, "hard_swish": F.hardswish, "tanh": paddle.tanh}
    return simple[kind](x[0])


@pytest.mark.parametrize(("output_op", "factor"), [("softmax", 300.0), ("sigmoid", 1.0), ("none", 1.0)])
def test_what_is_written_computes_what_was_trained(output_op, factor, build_network, transforms, tmp_path) -> None:
    network = build_network(factor=factor)
    folder = export(network, transforms, tmp_path / "e", output_op=output_op)
    image = np.random.default_rng(0).standard_normal((1, 3, 64, 48)).astype(np.float32)
    with paddle.no_grad():
        logits = network(paddle.to_tensor(image))
        expected = {"softmax": F.softmax(logits, 1), "sigmoid": F.softmax(logits, 1)[:, 1:], "none": logits}[output_op]
        found = compute(folder, image)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-5)


def test_the_files_are_as_paddlejs_reads_them(build_network, transforms, tmp_path) -> None:
    folder = export(build_network(), transforms, tmp_path / "e")
    model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert model["chunkNum"] == 1 and model["dataLayout"] == "nchw"
    assert model["feedShape"] == {"fc": 3, "fh": 64, "fw": 48}
    assert model["ops"][0] == {"type": "feed", "inputs": {"X": ["feed"]}, "outputs": {"Out": ["image"]}, "attrs": {}}
    assert model["ops"][-1]["type"] == "fetch" and model["ops"][-1]["outputs"] == {"Out": ["fetch"]}
    kinds = {operator["type"] for operator in model["ops"]}
    assert kinds <= KNOWN and not kinds & {"prelu", "slice", "reduce_mean"}
    assert all(operator["attrs"]["fuse_relu"] is False for operator in model["ops"] if "conv2d" in operator["type"])
    variables = model["vars"]
    assert all(len(one["shape"]) <= 4 and min(one["shape"]) > 0 for one in variables.values())
    values = sum(int(np.prod(one["shape"])) for one in variables.values() if one["persistable"])
    assert (folder / "chunk_1.dat").stat().st_size == 4 * values
    proof = json.loads((tmp_path / "e/parity.json").read_text())["targets"]["paddlejs"]
    assert proof["limit"] == 2e-3 and proof["bytes"] == sum(path.stat().st_size for path in folder.iterdir())


def test_what_is_missing_to_run_them_is_named(build_network, transforms, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(browser_runner, "PACKAGES", tmp_path)
    export(build_network(), transforms, tmp_path / "e")
    entry = json.loads((tmp_path / "e/parity.json").read_text())["targets"]["paddlejs"]
    assert (entry["ran"], entry["passed"], entry["max_abs_diff"]) == (False, None, None)
    assert (
        ".ci/install_browser.sh" in entry["why"] and "npm ci --ignore-scripts --prefix deploy/paddlejs" in entry["why"]
    )
    assert "\n" not in entry["why"]


def test_weights_in_several_files(build_network, transforms, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(target, "_CHUNK_FLOATS", 100)
    folder = export(build_network(), transforms, tmp_path / "e")
    chunks = sorted(folder.glob("chunk_*.dat"), key=lambda path: int(path.stem.split("_")[1]))
    sizes = [path.stat().st_size for path in chunks]
    assert len(sizes) > 3 and set(sizes[:-1]) == {400} and 0 < sizes[-1] <= 400
    assert json.loads((folder / "model.json").read_text())["chunkNum"] == len(sizes)
    image = np.zeros((1, 3, 64, 48), np.float32)
    found = compute(folder, image)
    np.testing.assert_allclose(found, compute(export(build_network(), transforms, tmp_path / "one"), image))
    deploy = (tmp_path / "e/deploy.yaml").read_text()
    assert all(f"paddlejs/{path.name}" in deploy for path in chunks)


class Applied(nn.Layer):
    """A convolution, and something that Paddle.js cannot do."""

    def __init__(self, function) -> None:
        super().__init__()
        self.head = nn.Conv2D(3, 4, 3, padding=1)
        self.function = function

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.function(self.head(x))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.reshape([1, 2, 2, 64, 48]).transpose([0, 2, 1, 3, 4]).reshape([1, 4, 64, 48]), "5 dimensions"),
        (lambda x: F.channel_shuffle(x, 2), "no operator 'channel_shuffle'"),
        (lambda x: paddle.log(F.relu(x) + 1), "no operator 'log'"),
        (lambda x: F.avg_pool2d(x, 3, 1, 1), "counts the border in an average"),
        (lambda x: F.interpolate(F.adaptive_avg_pool2d(x, 4), [64, 48]), "adaptive pooling to one pixel only"),
        (lambda x: paddle.concat([x[:, :, :32], x[:, :, 32:]], axis=2), "cannot slice"),
    ],
)
def test_what_paddlejs_gets_wrong_is_refused(function, message, transforms, tmp_path) -> None:
    with pytest.raises(ExportError, match=f"format paddlejs.*{message}"):
        export(Applied(function), transforms, tmp_path / "e", output_op="none")
    assert not (tmp_path / "e").exists()


def test_free_sizes_are_refused(build_network, transforms, tmp_path) -> None:
    with pytest.raises(ExportError, match="needs one size"):
        export(build_network(), transforms, tmp_path / "e", input_shape=(-1, -1))
