"""Networks traced in Paddle's former format: every function that needs help, and the state afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.legacy_program import read_program
from paddle_portrait.export.legacy_trace import legacy_format
from paddle_portrait.export.options import ExportOptions
from paddle_portrait.export.targets import paddle_legacy
from paddle_portrait.inference.backends import open_backend

FUNCTIONS = {
    "F.sigmoid": lambda x: F.sigmoid(x),
    "method": lambda x: x.sigmoid(),
    "layer": nn.Sigmoid(),
    "tanh": lambda x: paddle.tanh(x),
    "exp": lambda x: (x * 0.1).exp(),
    "log": lambda x: paddle.log(x.abs() + 1),
    "sqrt": lambda x: paddle.sqrt(paddle.abs(x) + 0.1),
    "rsqrt": lambda x: paddle.rsqrt(paddle.abs(x) + 0.1),
    "floor, sin, cos": lambda x: paddle.floor(x) + paddle.sin(x) * paddle.cos(x),
    "multiply": lambda x: paddle.multiply(x, x),
    "maximum, minimum": lambda x: paddle.maximum(x, x * 0.5) - paddle.minimum(x, x * 0.3),
    "greater_than": lambda x: paddle.greater_than(x, x * 0.5).astype("float32"),
    "logical": lambda x: paddle.logical_or(paddle.logical_and(x > 0, x < 1), x < -1).astype("float32"),
    "argmax": lambda x: paddle.argmax(x, axis=1, keepdim=True, dtype="int32").astype("float32"),
    "argmin": lambda x: x.argmin(1, keepdim=True).astype("float32"),
    "sum": lambda x: paddle.sum(x, axis=1, keepdim=True) + x.sum([2, 3], keepdim=True),
    "sum of all": lambda x: x * x.sum(),
    "matmul": lambda x: paddle.matmul(x, x, transpose_y=True),
    "bmm": lambda x: paddle.bmm(x[0], x[0]).unsqueeze(0),
    "gelu": lambda x: F.gelu(x) + F.gelu(x, approximate=True),
    "softplus": lambda x: F.softplus(x, beta=2.0),
    "grid_sample": lambda x: F.grid_sample(x, paddle.stack([x[:, 0], x[:, 1]], axis=-1)),
}


class Applied(nn.Layer):
    """A convolution and one function."""

    def __init__(self, function) -> None:
        super().__init__()
        self.conv = nn.Conv2D(3, 4, 1)
        self.function = function

    def forward(self, x):
        return self.function(self.conv(x))


def write(network: nn.Layer, folder: Path):
    network.eval()
    return paddle_legacy.write(ExportJob(network, ExportOptions("none"), (1, 3, 8, 8), folder / "scratch"), folder)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_bound_to_the_new_graph_trace_and_compute_the_same(name, tmp_path):
    network = Applied(FUNCTIONS[name])
    x = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
    found = open_backend("paddle_legacy", tmp_path, write(network, tmp_path), None).run(x)
    np.testing.assert_allclose(found, network(paddle.to_tensor(x)).numpy(), rtol=1e-5, atol=1e-5)


def test_everything_is_as_before_afterwards(tmp_path):
    places = [paddle, paddle.nn.functional, paddle.nn.functional.activation, paddle.tensor.search, paddle._C_ops]
    before = [dict(vars(place)) for place in places]
    methods = dict(vars(paddle.base.framework.Variable))
    with pytest.raises(RuntimeError, match="within"), legacy_format():
        assert dict(vars(paddle._C_ops)) != before[-1]
        raise RuntimeError("within")
    assert [dict(vars(place)) for place in places] == before
    assert dict(vars(paddle.base.framework.Variable)) == methods
    assert paddle.in_dynamic_mode() and paddle.get_flags("FLAGS_enable_pir_api")["FLAGS_enable_pir_api"]
    assert F.sigmoid(paddle.zeros([1])).item() == 0.5


def test_the_file_holds_no_paths_and_relu6_its_threshold(tmp_path):
    files = write(Applied(lambda x: F.relu6(F.sigmoid(x) * 9)), tmp_path)
    program = read_program(tmp_path / files.model)
    relu6 = [operator for operator in program.blocks[0].ops if operator.type == "relu6"]
    assert [{attribute.name: attribute.f for attribute in operator.attrs}["threshold"] for operator in relu6] == [6.0]
    content = (tmp_path / files.model).read_bytes()
    assert str(Path(__file__).parent).encode() not in content and b"paddle_portrait" not in content
