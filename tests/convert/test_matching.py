"""Layers are paired in the order in which they run, or by name; the first pair that departs is named."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_portrait.convert import MatchError, SourceError, SourceLayer, SourceModel, match_by_execution, match_by_name
from paddle_portrait.models.blocks import ConvNormAct, SeparableConv, conv2d


def _values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _layer(kind, name, bias=None, **attributes):
    """Return a source layer from the shape of its weight in the name ``kind``."""
    kind, shape = kind
    arrays = {"weight": _values(*shape)}
    if bias is not None:
        arrays["bias"] = np.float32(bias)
    return SourceLayer(kind, name, arrays, attributes)


def _norm(channels, name, epsilon=1e-5):
    arrays = {key: _values(channels, seed=n) for n, key in enumerate(("weight", "bias", "_mean"))}
    return SourceLayer(
        "batch_norm", name, {**arrays, "_variance": np.full(channels, 2.0, np.float32)}, {"epsilon": epsilon}
    )


def _source(*layers):
    return SourceModel("net.x", list(layers), {})


class _Crossed(nn.Layer):
    """Runs its layers in another order than it makes them; one only in training."""

    def __init__(self):
        super().__init__()
        self.last = nn.Conv2D(4, 2, 1)
        self.auxiliary = nn.Conv2D(4, 2, 1)
        self.slope = nn.PReLU(4)
        self.first = nn.Conv2D(3, 4, 3, padding=1)

    def forward(self, x):
        x = self.slope(self.first(x))
        return (self.last(x), self.auxiliary(x)) if self.training else self.last(x)


_IMAGE = paddle.zeros([1, 3, 8, 8])


def test_pairs_follow_the_execution():
    network = _Crossed()
    network.train()
    source = _source(
        _layer(("conv", (4, 3, 3, 3)), "a", [1, 2, 3, 4]),
        _layer(("prelu", (4,)), "b"),
        _layer(("conv", (2, 4, 1, 1)), "c", [5, 6]),
    )
    state = match_by_execution(network, source, _IMAGE)
    assert set(state) == {"first.weight", "first.bias", "slope._weight", "last.weight", "last.bias"}
    np.testing.assert_array_equal(state["last.bias"], [5, 6])
    assert network.training
    assert not network.first._forward_pre_hooks


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [_layer(("conv", (4, 3, 3, 3)), "a", [1] * 4), _layer(("conv", (2, 4, 1, 1)), "c", [5, 6])],
            r"different kinds is layer 2: prelu 'slope' \(_weight \[4\]\) of the network, conv 'c' "
            r"\(weight \[2, 4, 1, 1\], bias \[2\]\) of 'net\.x'",
        ),
        (
            [_layer(("conv", (4, 3, 1, 1)), "a", [1] * 4)],
            r"different shapes is layer 1: conv 'first' \(weight \[4, 3, 3, 3\], bias \[4\]\) of the network, conv 'a' "
            r"\(weight \[4, 3, 1, 1\]",
        ),
        ([_layer(("conv", (4, 3, 3, 3)), "a")], "lacks bias at layer 1"),
        ([_layer(("conv", (4, 3, 3, 3)), "a", [1] * 4)], r"has 1 layers and ends before prelu 'slope'"),
        (
            [
                _layer(("conv", (4, 3, 3, 3)), "a", [1] * 4),
                _layer(("prelu", (4,)), "b"),
                _layer(("conv", (2, 4, 1, 1)), "c", [5, 6]),
                _layer(("deconv", (2, 2, 2, 2)), "d"),
            ],
            r"goes on with 1 more, the first: deconv 'd'",
        ),
    ],
    ids=["kind", "shape", "bias", "short", "long"],
)
def test_the_first_pair_that_departs_is_named(layers, message):
    with pytest.raises(MatchError, match=message):
        match_by_execution(_Crossed(), _source(*layers), _IMAGE)


class _Folding(nn.Layer):
    def __init__(self, bias):
        super().__init__()
        self.block = ConvNormAct(3, 4, 3, bias=bias)
        self.head = conv2d(4, 2)

    def forward(self, x):
        return self.head(self.block(x))


@pytest.mark.parametrize("bias", [False, True], ids=["conv without bias", "conv with bias"])
def test_a_folded_batch_norm_is_exact_in_evaluation(bias):
    network = _Folding(bias).eval()
    source = _source(
        _layer(("conv", (4, 3, 3, 3)), "a", [1.5, -2, 0.25, 4]), _layer(("conv", (2, 4, 1, 1)), "b", [5, 6])
    )
    network.set_state_dict(match_by_execution(network, source, _IMAGE))
    image = paddle.to_tensor(_values(1, 3, 8, 8))
    first, last = (layer.arrays for layer in source.layers)
    expected = F.relu(F.conv2d(image, *map(paddle.to_tensor, first.values()), padding=1))
    expected = F.conv2d(expected, *map(paddle.to_tensor, last.values()))
    np.testing.assert_allclose(network(image).numpy(), expected.numpy(), atol=1e-5)


def test_a_batch_norm_that_no_convolution_can_hold_is_refused():
    source = _source(_layer(("conv", (4, 3, 1, 1)), "a", [1] * 4))
    twice = nn.Sequential(conv2d(3, 4, bias=False), nn.BatchNorm2D(4), nn.BatchNorm2D(4))
    with pytest.raises(MatchError, match=r"runs batch_norm '2' .* behind batch_norm '1' .* cannot have folded it"):
        match_by_execution(twice, _source(source.layers[0]), _IMAGE)


def test_batch_norms_that_a_file_keeps_are_taken_as_they_are():
    network = nn.Sequential(conv2d(3, 4, bias=False), nn.BatchNorm2D(4, epsilon=1e-3))
    conv = _layer(("conv", (4, 3, 1, 1)), "a")
    state = match_by_execution(network, _source(conv, _norm(4, "bn", 1e-3)), _IMAGE)
    np.testing.assert_array_equal(state["1._variance"], [2] * 4)
    with pytest.raises(MatchError, match=r"different epsilons, 0\.001 and 1e-05: layer 2"):
        match_by_execution(network, _source(conv, _norm(4, "bn", 1e-5)), _IMAGE)


def test_biases_of_zero_that_a_format_demands_are_left_out_and_others_are_not():
    network = SeparableConv(3, 4)
    pointwise = _layer(("conv", (4, 3, 1, 1)), "b", [1, 2, 3, 4])
    state = match_by_execution(network, _source(_layer(("depthwise", (3, 1, 3, 3)), "a", [0] * 3), pointwise), _IMAGE)
    assert sorted(state) == ["depthwise.weight", "pointwise.bias", "pointwise.weight"]
    with pytest.raises(MatchError, match=r"neither one nor a batch norm behind it: layer 1: depthwise 'depthwise'"):
        match_by_execution(network, _source(_layer(("depthwise", (3, 1, 3, 3)), "a", [0, 0, 1]), pointwise), _IMAGE)


def test_kernels_widened_with_zeros_become_dilated_ones():
    network = conv2d(3, 3, 3, dilation=2, groups=3, bias=False)
    kernel = _values(3, 1, 3, 3)
    wide = np.zeros((3, 1, 5, 5), np.float32)
    wide[:, :, ::2, ::2] = kernel
    holder = nn.Sequential(network)
    state = match_by_execution(holder, _source(SourceLayer("depthwise", "a", {"weight": wide})), _IMAGE)
    np.testing.assert_array_equal(state["0.weight"], kernel)
    wide[0, 0, 1, 1] = 0.5
    with pytest.raises(MatchError, match="different shapes"):
        match_by_execution(holder, _source(SourceLayer("depthwise", "a", {"weight": wide})), _IMAGE)


def test_linear_layers_and_convolutions_of_one_pixel_stand_for_each_other():
    linear = SourceLayer("linear", "a", {"weight": _values(3, 4), "bias": _values(4)})
    state = match_by_execution(nn.Sequential(conv2d(3, 4)), _source(linear), _IMAGE)
    np.testing.assert_array_equal(state["0.weight"][:, :, 0, 0], linear.arrays["weight"].T)
    conv = _layer(("conv", (4, 8, 1, 1)), "a", [1] * 4)
    state = match_by_execution(nn.Sequential(nn.Linear(8, 4)), _source(conv), _IMAGE)
    np.testing.assert_array_equal(state["0.weight"], conv.arrays["weight"][:, :, 0, 0].T)


def test_layers_move_to_the_place_where_the_network_runs_them():
    source = _source(*(_layer(("prelu", (1,)), name) for name in "abcd"))
    assert [layer.name for layer in source.reordered({"a": "c", "d": "b"}).layers] == ["b", "d", "c", "a"]
    assert [layer.name for layer in source.layers] == ["a", "b", "c", "d"]
    with pytest.raises(SourceError, match=r"'net\.x': has no layer 'e'; its layers: b, c, d, a"):
        source.reordered({"a": "d", "e": "b"})


def _named(**arrays):
    layers = {}
    for name, array in arrays.items():
        layer, key = name.rsplit("__", 1)
        layers.setdefault(layer.replace("_dot_", "."), {})[key] = array
    return _source(*(SourceLayer("conv", name, arrays) for name, arrays in layers.items()))


def test_names_are_renamed_and_what_has_no_partner_is_said(caplog, monkeypatch):
    monkeypatch.setattr("paddle_portrait.console.logger.propagate", True)
    network = nn.Sequential(("stem", conv2d(3, 4)), ("norm", nn.BatchNorm2D(4)))
    source = _named(
        encoder_dot_conv1__weight=_values(4, 3, 1, 1), encoder_dot_conv1__bias=_values(4), old_head__weight=_values(2)
    )
    state = match_by_name(network, source, [(r"^encoder\.", ""), (r"conv1\b", "stem")])
    assert sorted(state) == ["stem.bias", "stem.weight"]
    assert "1 keys of the file have no partner: old_head.weight" in caplog.text
    assert "4 keys of the network have no partner: norm.weight, norm.bias, norm._mean, norm._variance" in caplog.text


@pytest.mark.parametrize(
    ("renames", "message"),
    [
        ([], r"no key of 'net\.x' \(first: a\.weight, b\.weight\) is one of the network's \(first: 0\.weight"),
        ([("[ab]", "0")], r"'a\.weight' and 'b\.weight' of 'net\.x' are both renamed to '0\.weight'"),
        ([("a", "0")], r"different shapes is conv '0' .* of the network, 'a\.weight' \[4, 3, 3, 3\]"),
    ],
    ids=["nothing", "collision", "shape"],
)
def test_names_that_do_not_match(renames, message):
    source = _named(a__weight=_values(4, 3, 3, 3), b__weight=_values(1))
    with pytest.raises(MatchError, match=message):
        match_by_name(nn.Sequential(conv2d(3, 4)), source, renames)


def test_slopes_of_prelu_are_found_under_the_name_that_other_frameworks_give_them():
    source = _named(act__weight=_values(4))
    state = match_by_name(nn.Sequential(("act", nn.PReLU(4))), source)
    np.testing.assert_array_equal(state["act._weight"], source.layers[0].arrays["weight"])
