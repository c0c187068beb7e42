"""The files hold the parameters that the table of networks says, no norms, no training-only branches."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

import pytest

from paddle_portrait.config import load_config
from paddle_portrait.engine.trained import build_network
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.options import ExportOptions
from paddle_portrait.zoo.released import read_table

ROOT = Path(__file__).resolve().parents[2]
ROWS = {row["name"]: row for row in json.loads((ROOT / "docs/models.json").read_text(encoding="utf-8"))}
# Released networks, the LikeUnets with their triples of convolutions, and one with norms behind sums.
NAMES = sorted({*read_table(), "likeunet_night_lite_256", "portrait_net_224", "pp_humanseg_v1_lite_192"} & set(ROWS))
IN_ONNX = ("likeunet_night_lite_256", "extremec3_224")
# Sides at which every network can be traced: the count does not depend on them, the time does.
SIDE = 128


@pytest.mark.parametrize("name", NAMES)
def test_exported_parameters_are_those_of_the_table(name: str, tmp_path: Path, randomise) -> None:
    row = ROWS[name]
    # ONNX Runtime stores equal constants once, such as biases of a fresh network.
    network = randomise(build_network(load_config(ROOT / row["config"])))
    network.eval()
    job = ExportJob(network, ExportOptions("sigmoid", rewrites=False), (1, row["in_channels"], SIDE, SIDE), tmp_path)
    folder, files = job.build("paddle")
    program = json.loads((folder / files.model).read_text(encoding="utf-8"))["program"]
    operators = [one for region in program["regions"] for block in region["blocks"] for one in block["ops"]]
    # Values that nothing trains, such as those by which a network changes its colours, are no parameters.
    saved = network.state_dict()
    constants = sum(prod(buffer.shape) for key, buffer in network.named_buffers() if key not in saved)
    assert sum(prod(one["O"]["TT"]["D"][1]) for one in operators if one["#"] == "p") - constants == row["params"]
    assert not [one["#"] for one in operators if "batch_norm" in one["#"] or "dropout" in one["#"]]
    if name in IN_ONNX:
        assert _values_in_onnx(job) == row["params"]


def _values_in_onnx(job: ExportJob) -> int:
    import onnx

    folder, files = job.build("onnx")
    graph = onnx.load(str(folder / files.model)).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    weighed = ("Conv", "ConvTranspose", "PRelu", "Gemm", "MatMul")
    read = {name for node in graph.node if node.op_type in weighed for name in node.input[1:]}
    return sum(prod(shapes[name]) for name in read if name in shapes)
