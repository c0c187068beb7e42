"""Optimizer recipes build what they say, and weight decay leaves out what it is told to."""

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_portrait.engine.optimizers import exempt_parameters
from paddle_portrait.registry import OPTIMIZERS


class _Net(nn.Layer):
    def __init__(self):
        super().__init__()
        self.depthwise = nn.Conv2D(4, 4, 3, groups=4)
        self.norm = nn.BatchNorm2D(4)
        self.pointwise = nn.Conv2D(4, 2, 1)

    def forward(self, x):
        return self.pointwise(self.norm(self.depthwise(x)))


def _keys(model, names):
    return {key for key, parameter in model.named_parameters() if parameter.name in names}


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], set()),
        (["norm"], {"norm.weight", "norm.bias"}),
        (["bias"], {"depthwise.bias", "pointwise.bias"}),
        (["depthwise"], {"depthwise.weight"}),
    ],
)
def test_kinds_name_the_right_parameters(kinds, expected):
    model = _Net()
    trained = {key for key, parameter in model.named_parameters() if not parameter.stop_gradient}
    assert _keys(model, exempt_parameters(model, kinds)) & trained == expected


@pytest.mark.parametrize("name", OPTIMIZERS.own_names())
def test_decay_shrinks_only_what_is_not_exempt(name):
    paddle.seed(0)
    model = _Net()
    optimizer = OPTIMIZERS.build(name, weight_decay=0.5, no_decay=["norm", "bias", "depthwise"]).create(model, 0.1)
    before = {key: parameter.numpy().copy() for key, parameter in model.named_parameters()}
    for parameter in model.parameters():  # gradients of zero: only decay can move a weight
        if not parameter.stop_gradient:
            parameter.grad = paddle.zeros_like(parameter)
    optimizer.step()
    moved = {key for key, parameter in model.named_parameters() if not np.array_equal(parameter.numpy(), before[key])}
    assert moved == {"pointwise.weight"}


def test_sgd_without_momentum_is_plain_descent_and_clips():
    model = nn.Linear(1, 1, bias_attr=False)
    start = model.weight.numpy().copy()
    optimizer = OPTIMIZERS.build("sgd", momentum=0.0, grad_clip_norm=1.0).create(model, 0.5)
    model.weight.grad = paddle.to_tensor([[4.0]])
    optimizer.step()
    np.testing.assert_allclose(model.weight.numpy(), start - 0.5, rtol=1e-6)


def test_frozen_parameters_are_not_in_the_optimizer():
    model = _Net()
    model.depthwise.weight.stop_gradient = True
    optimizer = OPTIMIZERS.build("AdamW").create(model, 0.1)
    named = {parameter.name for group in optimizer._param_groups for parameter in group["params"]}
    assert model.depthwise.weight.name not in named and model.pointwise.weight.name in named
