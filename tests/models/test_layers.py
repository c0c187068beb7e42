"""Shared blocks compute what their plain definitions say."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from paddle_portrait import kernels
from paddle_portrait.models.layers import resize_bilinear, shuffle_two_groups


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(
    ("source", "target"), [((6, 6), (12, 12)), ((5, 7), (13, 9)), ((12, 9), (5, 4)), ((1, 1), (4, 3)), ((4, 3), (1, 1))]
)
@pytest.mark.parametrize("mode", ["auto", "off"])
def test_resize_equals_the_stock_kernel_in_value_and_gradient(source, target, align_corners, mode):
    kernels.use_kernels(mode)
    x = paddle.randn([2, 3, *source])
    weights = paddle.randn([2, 3, *target])
    results = []
    for resize in (resize_bilinear, _stock_resize):
        leaf = x.clone()
        leaf.stop_gradient = False
        out = resize(leaf, target, align_corners)
        (out * weights).sum().backward()
        results.append((out.numpy(), leaf.grad.numpy()))
    kernels.use_kernels("auto")
    np.testing.assert_allclose(results[0][0], results[1][0], atol=1e-5)
    np.testing.assert_allclose(results[0][1], results[1][1], atol=1e-4)


def _stock_resize(x, size, align_corners):
    return F.interpolate(x, size=list(size), mode="bilinear", align_corners=align_corners)


@pytest.mark.parametrize("trained", [True, False])
def test_shuffle_is_the_channel_shuffle_of_the_concatenation(trained):
    first, second = paddle.randn([2, 5, 4, 3]), paddle.randn([2, 5, 4, 3])
    first.stop_gradient = second.stop_gradient = not trained
    joined = paddle.concat([first, second], axis=1)
    expected = joined.reshape([2, 2, 5, 4, 3]).transpose([0, 2, 1, 3, 4]).reshape([2, 10, 4, 3])
    np.testing.assert_array_equal(shuffle_two_groups(first, second).numpy(), expected.numpy())
