"""What a target lacks is told before training: the operator, the layer that calls it, and what to use."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_portrait.export.operator_check import check_operators, describe_findings
from paddle_portrait.export.operators import list_legacy_operators


class Calling(nn.Layer):
    """A layer that calls one function."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.function(x)


def network(function) -> nn.Layer:
    return nn.Sequential(
        ("stem", nn.Conv2D(3, 4, 1)), ("odd", nn.Sequential(("one", Calling(function)))), ("head", nn.Conv2D(4, 2, 1))
    )


def squares(x: paddle.Tensor) -> paddle.Tensor:
    return x**2


def shuffle(x: paddle.Tensor) -> paddle.Tensor:
    return F.channel_shuffle(x, 2)


def shuffle_in_five_dimensions(x: paddle.Tensor) -> paddle.Tensor:
    return paddle.reshape(paddle.transpose(paddle.reshape(x, [1, 2, 2, 8, 8]), [0, 2, 1, 3, 4]), [1, 4, 8, 8])


def rolls(x: paddle.Tensor) -> paddle.Tensor:
    return paddle.roll(x, 1, axis=2)


def fine(x: paddle.Tensor) -> paddle.Tensor:
    return F.relu(x) + 1


@pytest.mark.parametrize(
    ("function", "target", "operator", "instead"),
    [
        (squares, "paddlelite", "elementwise_pow", "x * x"),
        (shuffle, "onnx", "channel_shuffle", "reshape, transpose, reshape"),
        (shuffle, "mnn", "channel_shuffle", "reshape, transpose, reshape"),
        (shuffle_in_five_dimensions, "paddlejs", "reshape, transpose", "tensors of four"),
        (F.elu, "paddlejs", "elu", ""),
        (rolls, "paddle_legacy", "", ""),
        (rolls, "paddlejs", "roll", "slices and a concat"),
    ],
)
def test_it_is_found_in_its_layer(function, target, operator, instead):
    findings = [one for one in check_operators(network(function), (1, 3, 8, 8), [target]) if one.operator == operator]
    assert len(findings) == 1
    assert findings[0].target == target
    assert findings[0].instead == instead
    assert findings[0].layers == (("odd.one",) if operator else ())
    text = describe_findings(findings, [target])
    assert operator in text and (not operator or "odd.one" in text)


def test_nothing_is_made_up():
    targets = ["onnx", "openvino", "mnn", "ncnn", "tflite", "paddle", "paddle_legacy", "paddlejs"]
    assert check_operators(network(fine), (1, 3, 8, 8), targets) == []
    assert "ncnn: nothing known against it" in describe_findings([], targets)


def test_operators_of_the_legacy_format_are_those_of_the_graph_alone():
    class WithAux(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.main, self.aux = nn.Conv2D(3, 2, 1), nn.Conv2D(3, 2, 3, padding=1)

        def forward(self, x):
            return [self.main(x), F.tanh(self.aux(x))]

    found = list_legacy_operators(WithAux(), (1, 3, 8, 8))
    assert ("main", "conv2d") in found
    assert not [kind for layer, kind in found if layer == "aux" or kind == "tanh"]
