"""A stage that trains for int8: rounds, keeps its norms still, resumes exactly, and is judged as it rounds."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from paddle_portrait.config import ConfigError, load_config
from paddle_portrait.engine.build import RunOptions
from paddle_portrait.engine.checkpoint import load_checkpoint
from paddle_portrait.engine.stages import train
from paddle_portrait.engine.trained import load_trained
from paddle_portrait.models.fake_quantisation import quantised_layers, rounding_names

STAGES = """\
stages:
  - {name: float, iters: 2}
  - {name: int8, iters: 6, quantise: {calibration_images: 6, keep_float: ["conv_bn0.*"]}}
"""


def test_the_stage_rounds_rests_its_norms_and_resumes_exactly(config_file, tmp_path):
    path = config_file(STAGES)
    options = RunOptions(tmp_path / "whole", do_eval=True, resume="auto")
    train(load_config(str(path)), options)
    start = load_checkpoint(tmp_path / "whole" / "float" / "iter_2").weights
    end = load_checkpoint(tmp_path / "whole" / "int8" / "iter_6").weights
    assert not rounding_names(start)
    rounding = rounding_names(end)
    assert rounding and not any(name.startswith("conv_bn0.") for name in rounding)
    for name, array in start.items():
        moved = not np.array_equal(array, end[name])
        assert not (name.endswith(("_mean", "_variance")) and moved), name
    assert any(np.abs(end[f"{name}.input_range.shift"]).max() > 0 for name in rounding)

    shutil.copytree(tmp_path / "whole", tmp_path / "again")
    for name in ("iter_6", "best_model"):
        shutil.rmtree(tmp_path / "again" / "int8" / name)
    train(load_config(str(path)), RunOptions(tmp_path / "again", do_eval=True, resume="auto"))
    one, other = (load_checkpoint(tmp_path / run / "int8" / "iter_6") for run in ("again", "whole"))
    assert set(one.arrays) == set(other.arrays) and set(one.weights) == set(other.weights)
    assert not [key for key in one.weights if not np.array_equal(one.weights[key], other.weights[key])]
    assert not [key for key in one.arrays if not np.array_equal(one.arrays[key], other.arrays[key])]

    network = load_trained(load_config(str(path)), str(tmp_path / "whole" / "int8" / "iter_6"))
    assert sorted(quantised_layers(network)) == sorted(rounding)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{calibration: 6}", "unknown key; did you mean 'calibration_images'"),
        ("{calibration_images: none}", "a whole number"),
        ("true", "takes a mapping"),
    ],
)
def test_mistakes_in_the_section_are_named(config_file, section, message):
    path = config_file(f"stages:\n  - {{name: int8, iters: 2, quantise: {section}}}\n")
    with pytest.raises(ConfigError, match=message):
        load_config(str(path))
    assert Path(path).is_file()
