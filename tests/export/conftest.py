"""A small network of the kind that is exported, with statistics and weights that are not trivial."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_portrait.models import SegOutput

TRANSFORMS = [{"type": "Resize", "target_size": [48, 64]}, {"type": "Normalize", "mean": [0.5] * 3, "std": [0.5] * 3}]


class SmallNetwork(nn.Layer):
    """Stride-two encoder, bilinear decoder, and two heads that only training uses."""

    def __init__(self, classes: int = 2, in_channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2D(in_channels, 8, 3, 2, 1, bias_attr=False), nn.BatchNorm2D(8), nn.ReLU6())
        self.deep = nn.Sequential(nn.Conv2D(8, 8, 3, 2, 1, groups=8), nn.BatchNorm2D(8), nn.Hardswish())
        self.head = nn.Conv2D(16, classes, 1)
        self.aux_head = nn.Conv2D(8, classes, 3, padding=1)
        self.boundary_head = nn.Conv2D(8, 2, 1)

    def forward(self, x: paddle.Tensor) -> SegOutput:
        shallow = self.stem(x)
        deep = self.deep(shallow)
        raised = F.interpolate(deep, paddle.shape(shallow)[2:], mode="bilinear")
        logits = self.head(paddle.concat([shallow, raised], axis=1))
        full = F.interpolate(logits, paddle.shape(x)[2:], mode="bilinear")
        return SegOutput(full, (self.aux_head(deep),), self.boundary_head(shallow))


def randomise(network: nn.Layer, seed: int = 0) -> nn.Layer:
    """Give every value of the network a random number that makes it matter."""
    rng = np.random.default_rng(seed)
    for name, value in network.state_dict().items():
        if name.endswith("_variance"):
            drawn = rng.uniform(0.5, 2.0, value.shape)
        elif len(value.shape) > 1:
            drawn = rng.normal(0, np.sqrt(2 / np.prod(value.shape[1:])), value.shape)
        else:
            drawn = rng.normal(0.3, 0.4, value.shape)
        value.set_value(paddle.to_tensor(drawn.astype("float32")))
    return network


@pytest.fixture(scope="session")
def build_network() -> Callable[..., nn.Layer]:
    """Return a function that builds a randomised :class:`SmallNetwork`."""
    return lambda **arguments: randomise(SmallNetwork(**arguments))


@pytest.fixture(name="randomise")
def give_randomise() -> Callable[..., nn.Layer]:
    """Return :func:`randomise`, for networks of a test's own."""
    return randomise


@pytest.fixture
def network(build_network: Callable[..., nn.Layer]) -> nn.Layer:
    """Return a network with two classes."""
    return build_network()


@pytest.fixture
def transforms() -> list[dict]:
    """Return transforms that end in height 64, width 48."""
    return [dict(node) for node in TRANSFORMS]


@pytest.fixture
def photo() -> np.ndarray:
    """Return a smooth random picture, uint8 90×70×3."""
    import cv2

    coarse = np.random.default_rng(3).uniform(0, 255, (6, 5, 3))
    return np.clip(cv2.resize(coarse, (70, 90), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)
