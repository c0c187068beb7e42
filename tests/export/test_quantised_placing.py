"""What a quantised target that departs too far tells its user."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddle_portrait.export.errors import ParityError
from paddle_portrait.export.parity import TargetParity
from paddle_portrait.export.quantisation.placing import place
from paddle_portrait.inference.deploy_file import TargetFiles

DEPARTED = TargetParity(
    ran=True,
    passed=False,
    limit=0.002,
    limited="max_abs_diff",
    max_abs_diff=0.01,
    mean_abs_diff=0.001,
    mask_iou=1.0,
    finite=True,
    bytes=1,
    operators={},
    runtime=None,
)


@pytest.mark.parametrize(
    ("target", "remedy"), [("onnx_fp16", "--format onnx_fp16"), ("onnx_int8_weights", "Nothing is kept.")]
)
def test_what_departs_is_not_kept_and_the_message_says_by_how_much(tmp_path: Path, target: str, remedy: str) -> None:
    made, kept = tmp_path / "scratch" / target, tmp_path / "kept"
    made.mkdir(parents=True)
    with pytest.raises(ParityError, match=rf"{target} departs.*0\.01.*{remedy}"):
        place(made, TargetFiles("model.onnx"), DEPARTED, tmp_path, kept, tmp_path / "scratch")
    assert not kept.exists()
