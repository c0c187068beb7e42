"""PP-HumanSeg's other networks come from paddleseg by name; our configs must mean the published ones."""

from pathlib import Path

import paddle
import pytest

from paddle_portrait.config import load_config
from paddle_portrait.losses import Objective
from paddle_portrait.models import as_seg_output
from paddle_portrait.registry import MODELS

pytest.importorskip("paddleseg", reason="paddleseg is not installed")
CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "pp_humanseg"


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("mobile_192x192", 1.537),
        ("server_512x512", 26.719),
        ("v2_lite_192x192", 3.015),
        ("v2_lite_256x144", 2.954),
        ("v2_mobile_192x192", 7.565),
    ],
)
def test_they_have_the_published_numbers_of_parameters_and_the_outputs_that_losses_name(name, millions):
    config = load_config(CONFIGS / f"{name}_portraits.yml")
    model = MODELS.build_node(config["model"])
    learnable = sum(value.size for value in model.parameters() if not value.stop_gradient)
    assert round(learnable / 1e6, 3) == millions
    output = as_seg_output(model(paddle.randn([2, 3, 64, 64])))
    named = {term.on for term in Objective.from_config(config.to_dict()).terms}
    assert named == {"logits", *(f"aux[{index}]" for index in range(len(output.aux)))}
    assert all(head.shape == [2, 2, 64, 64] for head in (output.logits, *output.aux))
