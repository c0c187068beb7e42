"""Folded networks answer what they answered before, however their layers and parameters are shared."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_portrait.export.folding import fold_norms

SHAPE = (1, 3, 6, 6)


class Pair(nn.Layer):
    """A convolution and a norm, for subclasses that call them as they like."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2D(3, 4, 1), nn.BatchNorm2D(4)


class TwoNames(Pair):
    """Both of them under a second name, too."""

    def __init__(self) -> None:
        super().__init__()
        self.also_norm, self.also_conv = self.norm, self.conv

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.norm(self.conv(x)) + self.also_norm(self.also_conv(x.flip(3)))


@pytest.mark.parametrize("kind", [TwoNames])
def test_folding_changes_no_answer(kind: type[nn.Layer], randomise: Callable[..., nn.Layer]) -> None:
    network = randomise(kind())
    network.eval()
    x = paddle.to_tensor(np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32))
    folded = fold_norms(network, SHAPE)
    np.testing.assert_allclose(folded(x).numpy(), network(x).numpy(), atol=1e-4)
    assert not [layer for layer in folded.sublayers() if isinstance(layer, nn.BatchNorm2D)]
