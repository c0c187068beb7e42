"""Optimizer recipes build what they say, and weight decay leaves out what it is told to."""

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_portrait.engine.optimizers import parameter_kinds
from paddle_portrait.errors import UserError
from paddle_portrait.registry import OPTIMIZERS


class _Net(nn.Layer):
    def __init__(self):
        super().__init__()
        self.depthwise = nn.Conv2D(4, 4, 3, groups=4)
        self.norm = nn.BatchNorm2D(4)
        self.act = nn.PReLU(4)
        self.pointwise = nn.Conv2D(4, 2, 1)

    def forward(self, x):
        return self.pointwise(self.act(self.norm(self.depthwise(x))))


KINDS = {
    "depthwise.weight": "depthwise",
    "depthwise.bias": "bias",
    "norm.weight": "norm",
    "norm.bias": "norm",
    "act._weight": "prelu",
    "pointwise.weight": None,
    "pointwise.bias": "bias",
}


def test_every_parameter_has_its_kind():
    model = _Net()
    kinds = parameter_kinds(model)
    trained = {key: kinds.get(p.name) for key, p in model.named_parameters() if not p.stop_gradient}
    assert trained == KINDS


def _step(model, optimizer, gradient=0.0):
    """Make one step with the same gradient everywhere; return start and end by the parameters' keys."""
    before = {key: parameter.numpy().copy() for key, parameter in model.named_parameters()}
    for parameter in model.parameters():
        if not parameter.stop_gradient:
            parameter.grad = paddle.full_like(parameter, gradient)
    optimizer.step()
    return before, {key: parameter.numpy() for key, parameter in model.named_parameters()}


@pytest.mark.parametrize("name", OPTIMIZERS.own_names())
def test_decay_shrinks_only_what_is_not_exempt(name):
    paddle.seed(0)
    model = _Net()
    optimizer = OPTIMIZERS.build(name, weight_decay=0.5, no_decay=["norm", "bias", "depthwise", "prelu"]).create(
        model, 0.1
    )
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


@pytest.mark.parametrize("name", OPTIMIZERS.own_names())
def test_each_kind_has_its_own_decay(name):
    """With gradients of zero, a step takes rate × decay off a weight; Adam only its sign, hence SGD and AdamW."""
    if OPTIMIZERS.get(name) is OPTIMIZERS.get("Adam"):
        pytest.skip("Adam scales a coupled decay away")
    model = _Net()
    decays = {"norm": 0.1, "prelu": 0.2}
    recipe = OPTIMIZERS.build(name, weight_decay=0.5, no_decay=["bias", "depthwise"], decay_by_kind=decays)
    before, after = _step(model, recipe.create(model, 0.1))
    expected = {"norm": 0.1, "prelu": 0.2, "bias": 0.0, "depthwise": 0.0, None: 0.5}
    for key, kind in KINDS.items():
        np.testing.assert_allclose(after[key], before[key] * (1 - 0.1 * expected[kind]), rtol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", OPTIMIZERS.own_names())
def test_rules_slow_and_freeze_parameters_by_name(name):
    """The first step of each optimizer here is rate × factor for a gradient of one."""
    model = _Net()
    rules = [{"name": "norm", "lr_mult": 0.1}, {"name": "*wise.weight", "lr_mult": 0}, {"name": "wise", "lr_mult": 3.0}]
    optimizer = OPTIMIZERS.build(name, weight_decay=0.0, custom_cfg=rules).create(model, 0.5)
    factors = {"norm.weight": 0.1, "norm.bias": 0.1, "depthwise.weight": 0, "pointwise.weight": 0, "act._weight": 1}
    for rate in (0.5, 0.01):  # the second after the schedule has moved
        optimizer.set_lr(rate)
        before, after = _step(model, optimizer, 1.0)
        if rate == 0.5:
            for key in KINDS:
                np.testing.assert_allclose(before[key] - after[key], 0.5 * factors.get(key, 3), rtol=1e-4, err_msg=key)
        np.testing.assert_array_equal(before["pointwise.weight"], after["pointwise.weight"])


def test_a_frozen_factor_keeps_weights_bit_for_bit_also_from_decay():
    model = _Net()
    optimizer = OPTIMIZERS.build("AdamW", weight_decay=0.5, custom_cfg=[{"name": "pointwise", "lr_mult": 0}])
    before, after = _step(model, optimizer.create(model, 0.1), 1.0)
    moved = {key for key in KINDS if not np.array_equal(before[key], after[key])}
    assert moved == set(KINDS) - {"pointwise.weight", "pointwise.bias"}


def test_a_rule_scales_the_decay_of_its_parameters():
    model = _Net()
    rules = [{"name": "pointwise", "weight_decay_mult": 0.5}]
    optimizer = OPTIMIZERS.build("SGD", momentum=0.0, weight_decay=0.2, no_decay=["bias"], custom_cfg=rules)
    before, after = _step(model, optimizer.create(model, 1.0))
    np.testing.assert_allclose(after["pointwise.weight"], before["pointwise.weight"] * 0.9, rtol=1e-5)
    np.testing.assert_allclose(after["depthwise.weight"], before["depthwise.weight"] * 0.8, rtol=1e-5)
    np.testing.assert_array_equal(after["pointwise.bias"], before["pointwise.bias"])


def test_the_clipped_norm_is_that_of_all_groups_together():
    model = _Net()
    rules = [{"name": "norm", "lr_mult": 2.0}]
    recipe = OPTIMIZERS.build(
        "SGD", momentum=0.0, no_decay=["bias"], weight_decay=1e-30, grad_clip_norm=0.5, custom_cfg=rules
    )
    count = sum(p.size for p in model.parameters() if not p.stop_gradient)
    before, after = _step(model, recipe.create(model, 1.0), 3.0)
    step = 0.5 / np.sqrt(count)  # each gradient is 3, their norm 3·sqrt(count)
    np.testing.assert_allclose(before["pointwise.weight"] - after["pointwise.weight"], step, rtol=1e-4)
    np.testing.assert_allclose(before["norm.weight"] - after["norm.weight"], 2 * step, rtol=1e-4)


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_amsgrad_by_hand(name, amsgrad):
    """A great gradient, then small ones: AMSGrad goes on dividing by the great one."""
    model = nn.Linear(1, 1, bias_attr=False)
    optimizer = OPTIMIZERS.build(name, weight_decay=0.0, amsgrad=amsgrad, beta2=0.5).create(model, 0.1)
    weight, first, second, greatest = model.weight.item(), 0.0, 0.0, 0.0
    for step, gradient in enumerate([4.0, 0.5, 0.25, -0.5], 1):
        model.weight.grad = paddle.to_tensor([[gradient]])
        optimizer.step()
        first, second = 0.9 * first + 0.1 * gradient, 0.5 * second + 0.5 * gradient**2
        greatest = max(greatest, second)
        divisor = np.sqrt((greatest if amsgrad else second) / (1 - 0.5**step)) + 1e-8
        weight -= 0.1 * first / (1 - 0.9**step) / divisor
        assert model.weight.item() == pytest.approx(weight, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"custom_cfg": [{"name": "backbon", "lr_mult": 0.1}]}, "'backbon' fits no parameter.*depthwise.weight"),
        ({"custom_cfg": [{"name": "wise"}, {"name": "pointwise"}]}, "'pointwise' fits no parameter.*earlier rule"),
        ({"custom_cfg": [{"name": "norm", "lr_mul": 0.1}]}, r"custom_cfg\[0\].*lr_mult"),
        ({"custom_cfg": [{"lr_mult": 0.1}]}, "mapping with the 'name'"),
        ({"custom_cfg": ["norm"]}, "mapping with the 'name'"),
        ({"custom_cfg": [{"name": "norm", "lr_mult": -1}]}, "0 or more, not -1"),
        ({"custom_cfg": [{"name": "norm", "lr_mult": "x"}]}, "0 or more, not 'x'"),
        ({"decay_by_kind": {"norms": 0.1}}, "norms.*norm"),
        ({"decay_by_kind": {"norm": -0.1}}, "0 or more"),
        ({"decay_by_kind": {"norm": 0.1}, "no_decay": ["norm"]}, "in no_decay and in decay_by_kind"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        OPTIMIZERS.build("AdamW", **arguments).create(_Net(), 0.1)
