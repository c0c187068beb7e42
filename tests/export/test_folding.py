"""Folded networks answer what they answered before, however their layers and parameters are shared."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_portrait.analysis.counting import count_folded
from paddle_portrait.export.folding import fold_norms
from paddle_portrait.export.operators import list_operators

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


class AnotherAddend(Pair):
    """Something else than the convolution's bias is added between."""

    def __init__(self) -> None:
        super().__init__()
        self.conv.bias = None
        self.addend = self.create_parameter([1, 4, 1, 1])

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.norm(self.conv(x) + self.addend)


class AddendOnce(AnotherAddend):
    """It is added for one of two calls."""

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.norm(self.conv(x)) + self.norm(self.conv(x.flip(3)) + self.addend)


class NeededAsItIs(Pair):
    """The convolution runs without the norm, too."""

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.norm(self.conv(x)) + self.conv(x.flip(3))


class TwoConvolutions(Pair):
    """The norm stands behind two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.other = nn.Conv2D(3, 4, 1, bias_attr=False)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.norm(self.conv(x)) + self.norm(self.other(x))


class TwoNorms(Pair):
    """Two norms stand behind the same convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.second = nn.BatchNorm2D(4)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.norm(self.conv(x)) + self.second(self.conv(x.flip(3)))


class SharedBias(nn.Layer):
    """Two convolutions, each with a norm, have one bias."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Pair(), Pair()
        self.second.conv.bias = self.first.conv.bias

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.first.norm(self.first.conv(x)) + self.second.norm(self.second.conv(x))


KINDS = [TwoNames, AnotherAddend, AddendOnce, NeededAsItIs, TwoConvolutions, TwoNorms, SharedBias]


@pytest.mark.parametrize("kind", KINDS)
def test_folding_changes_no_answer_and_leaves_what_is_counted(
    kind: type[nn.Layer], randomise: Callable[..., nn.Layer]
) -> None:
    network = randomise(kind())
    network.eval()
    x = paddle.to_tensor(np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32))
    folded = fold_norms(network, SHAPE)
    np.testing.assert_allclose(folded(x).numpy(), network(x).numpy(), atol=1e-4)
    assert not [layer for layer in folded.sublayers() if isinstance(layer, nn.BatchNorm2D)]
    assert count_folded(list_operators(network, SHAPE)) == sum(value.size for value in folded.parameters())
