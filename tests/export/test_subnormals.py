"""Exports hold no weights that processors compute with slowly."""

from __future__ import annotations

import numpy as np
import paddle
from paddle import nn

from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.options import ExportOptions
from paddle_portrait.export.subnormals import without_subnormals

LEAST = np.finfo(np.float32).tiny


def test_only_values_below_the_least_normal_float_become_zero():
    layer = nn.Linear(2, 4)
    values = np.array([[LEAST, -LEAST, LEAST / 2, -LEAST / 1e6], [0.0, 1e-30, -3.0, np.inf]], np.float32)
    layer.weight.set_value(values)
    without_subnormals(layer)
    expected = np.array([[LEAST, -LEAST, 0, 0], [0.0, 1e-30, -3.0, np.inf]], np.float32)
    np.testing.assert_array_equal(layer.weight.numpy(), expected)


def test_exports_hold_none_even_where_folding_makes_them(tmp_path):
    convolution, norm = nn.Conv2D(3, 2, 1, bias_attr=False), nn.BatchNorm2D(2)
    convolution.weight.set_value(np.full((2, 3, 1, 1), 1e-20, np.float32))
    norm.weight.set_value(np.array([1e-20, 1e20], np.float32))
    network = nn.Sequential(convolution, norm)
    network.eval()
    job = ExportJob(network, ExportOptions("none"), (1, 3, 8, 8), tmp_path)
    exported = job.deployed.state_dict().values()
    weights = np.concatenate([value.numpy().ravel() for value in exported])
    assert not ((weights != 0) & (np.abs(weights) < LEAST)).any()
    assert (np.abs(weights) > 0.9).sum() == 3, "the channel that is used stays"
    assert norm.weight.numpy()[0] == np.float32(1e-20), "the network is left as it was"
    image = paddle.rand([1, 3, 8, 8])
    np.testing.assert_allclose(job.deployed(image).numpy(), network(image).numpy(), rtol=1e-4, atol=1e-37)
