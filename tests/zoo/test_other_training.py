"""Released weights under another config of the same network are used, and what differs is told."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from paddle_portrait.config import Config, load_config
from paddle_portrait.engine.other_training import tell_other_training
from paddle_portrait.engine.trained import load_trained
from paddle_portrait.zoo import find_config, weights_file
from paddle_portrait.zoo.released import released

NORMALIZE = "{type: Normalize, colour: bgr, max_value: 1, mean: [104.008, 116.669, 122.675], std: [1, 1, 1]}"
# The same values in another spelling.
IN_SHARES = f"""{{type: Normalize, colour: bgr,
    mean: [{104.008 / 255}, {116.669 / 255}, {122.675 / 255}], std: [{1 / 255}, {1 / 255}, {1 / 255}]}}"""


@pytest.fixture
def config(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Return a function that makes a config of PP-HumanSeg-Lite."""

    def make(size: int = 192, model: str = "align_corners: true", normalize: str = NORMALIZE) -> Config:
        transforms = f"[{{type: Resize, target_size: [{size}, {size}]}}, {normalize}]"
        path = tmp_path / "my.yml"
        path.write_text(
            f"model: {{type: PPHumanSegLite, num_classes: 2, {model}}}\nexport:\n  transforms: {transforms}\n"
        )
        return load_config(path)

    return make


def test_the_weights_under_another_config_are_told_once(config, caplog) -> None:  # type: ignore[no-untyped-def]
    with caplog.at_level("INFO", logger="paddle_portrait"):
        load_trained(config(256, "align_corners: false", "{type: Normalize}"), "lite")
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    told = warning.getMessage()
    assert "'lite' were trained otherwise" in told and "my.yml" in told and str(find_config("lite")) in told
    assert "size 256x256 (trained: 192x192)" in told
    assert "colour order rgb (trained: bgr)" in told
    assert "values -1..1 (trained: -104..151, -116.7..138.3, -122.7..132.3)" in told
    assert "model.align_corners False (trained: True)" in told and "steps" not in told


@pytest.mark.parametrize("weights", ["lite", weights_file("lite"), weights_file("lite").parent])
def test_the_released_file_is_known_by_its_path(config, caplog, weights) -> None:  # type: ignore[no-untyped-def]
    with caplog.at_level("INFO", logger="paddle_portrait"):
        tell_other_training(config(model="align_corners: false"), weights, logging.INFO)
    (record,) = caplog.records
    assert record.levelno == logging.INFO and "model.align_corners" in record.getMessage()


@pytest.mark.parametrize("changes", [{}, {"normalize": IN_SHARES}, {"model": "align_corners: true, pretrained: tiny"}])
def test_the_same_in_other_words_is_no_difference(config, caplog, changes) -> None:  # type: ignore[no-untyped-def]
    tell_other_training(config(**changes), "lite")
    tell_other_training(config(64), "some/other.pdparams")
    assert not caplog.records


@pytest.mark.parametrize("name", sorted(released()))
def test_no_released_network_differs_from_its_own_config(caplog, name: str) -> None:  # type: ignore[no-untyped-def]
    tell_other_training(load_config(find_config(name), ["model.mirrored=null"] if name == "highres" else []), name)
    assert not caplog.records
