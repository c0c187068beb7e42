"""The table of what fewer bits cost compares like graphs, and its gate is the tool's own."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import paddle
import pytest
from paddle import nn

from paddle_portrait.export import export_model
from paddle_portrait.export.masks import MaskAgreement
from paddle_portrait.export.parity import TargetParity
from paddle_portrait.export.quantisation import Attempt, Outcome
from paddle_portrait.export.quantisation.judging import Drop
from paddle_portrait.export.targets import INT8_LIMIT

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import quantisation

TRANSFORMS = [{"type": "Resize", "target_size": [48, 64]}, {"type": "Normalize"}]


def attempt(drop: float, overlap: int) -> Attempt:
    """An attempt that loses ``drop`` points, and whose masks share ``overlap`` of 100 pixels with the float ones."""
    masks = MaskAgreement(overlap, 100, proved=True)
    outcome = Outcome("nncf", Drop(drop, drop, drop, (drop,)), 1.0, 300, 1000, 600_000, [], [], masks.iou)
    passed = INT8_LIMIT.is_kept(0.5, masks)
    return Attempt(outcome, (), (), TargetParity(True, passed, *INT8_LIMIT, 0.5, 0.1, masks.iou, True, 300, {}, "ORT"))


@pytest.mark.parametrize(
    ("drop", "overlap", "passes"), [(0.1, 99, True), (0.5, 99, False), (0.1, 97, False), (0.5, 97, False)]
)
def test_the_gate_counts_the_masks_as_well_as_the_lost_points(drop, overlap, passes):
    assert quantisation.costs(attempt(drop, overlap))["passes"] is passes


def test_the_float_row_is_a_graph_like_those_it_is_compared_with(tmp_path):
    paddle.seed(0)
    network = nn.Sequential(nn.Conv2D(3, 8, 3, padding=1), nn.PReLU(8), nn.Conv2D(8, 2, 1), nn.Upsample(scale_factor=2))
    report = export_model(network, TRANSFORMS, tmp_path / "quick", ("onnx",), "sigmoid")
    assert report.targets["onnx"].rewrites, "a network that a plain export rewrites"
    path = quantisation.export_float(network, TRANSFORMS, tmp_path / "like")
    assert "rewrites" not in {entry.key for entry in onnx.load(str(path)).metadata_props}
    assert sum(node.op_type == "Conv" for node in onnx.load(str(path)).graph.node) == 2
