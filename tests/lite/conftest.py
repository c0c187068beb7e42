"""Paddle Lite's tests need its environment, and small networks exported for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_portrait.inference.lite.environment import find_python


class TwoStage(nn.Layer):
    """Strided convolutions with biases and norms, ReLU6, PReLU, a resize, a skip, and channels that are cut apart."""

    def __init__(self, classes: int = 2, factor: float = 1.0) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2D(3, 8, 3, 2, padding="same"), nn.ReLU6())
        self.deep = nn.Sequential(nn.Conv2D(8, 8, 3, 2, 1, groups=8, bias_attr=False), nn.BatchNorm2D(8), nn.PReLU(8))
        self.head = nn.Conv2D(16, classes, 1)
        self.factor = factor

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        shallow = self.stem(x)
        raised = F.interpolate(self.deep(shallow), paddle.shape(shallow)[2:], mode="bilinear")
        weight = F.hardsigmoid(shallow.mean([2, 3], keepdim=True))
        logits = self.head(paddle.concat([shallow * weight, raised], axis=1))
        return F.interpolate(logits * self.factor, paddle.shape(x)[2:], mode="bilinear")


@pytest.fixture(scope="session")
def build_network() -> Callable[..., nn.Layer]:
    """Return a function that builds a :class:`TwoStage` with weights that matter."""

    def build(**arguments: float) -> nn.Layer:
        paddle.seed(3)
        network = TwoStage(**arguments)
        rng = np.random.default_rng(0)
        for name, value in network.state_dict().items():
            if name.endswith(("bias", "_mean")):
                value.set_value(paddle.to_tensor(rng.normal(0.2, 0.3, value.shape).astype("float32")))
        network.eval()
        return network

    return build


@pytest.fixture(scope="session")
def transforms() -> list[dict]:
    """Return transforms that end in height 64, width 48."""
    return [{"type": "Resize", "target_size": [48, 64]}, {"type": "Normalize", "mean": [0.5] * 3, "std": [0.5] * 3}]


@pytest.fixture(scope="session")
def lite_python() -> Path:
    """Return the interpreter of Paddle Lite's environment."""
    python = find_python()
    if python is None:
        reason = "Paddle Lite's environment is missing: make lite-env"
        if os.environ.get("REQUIRE_LITE") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return python


@pytest.fixture(scope="session")
def exported(lite_python, build_network, transforms, tmp_path_factory) -> Path:
    """Return an export with one size, whose logits are hundreds apart."""
    from paddle_portrait.export import export_model

    directory = tmp_path_factory.mktemp("lite") / "export"
    export_model(build_network(factor=200.0), transforms, directory, ["paddlelite"], "softmax")
    return directory
