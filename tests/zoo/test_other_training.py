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

NAME = "mnv3_small_256"
NORMALIZE = "{type: Normalize, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}"
# The same values in another spelling.
IN_LEVELS = "{type: Normalize, max_value: 1, mean: [127.5, 127.5, 127.5], std: [127.5, 127.5, 127.5]}"


@pytest.fixture
def config(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Return a function that makes a config of MobileNetV3-small with the transition decoder."""

    def make(size: int = 256, last_act: str = "none", normalize: str = NORMALIZE, pretrained: str = "null") -> Config:
        transforms = f"[{{type: Resize, target_size: [{size}, {size}]}}, {normalize}]"
        backbone = f"{{type: MobileNetV3SmallMinimalistic, features: expansions, last_act: {last_act}}}"
        model = f"{{type: EncoderDecoder, num_classes: 2, backbone: {backbone}, head: {{type: TransitionHead}}"
        path = tmp_path / "my.yml"
        path.write_text(f"model: {model}, pretrained: {pretrained}}}\nexport:\n  transforms: {transforms}\n")
        return load_config(path)

    return make


def test_the_weights_under_another_config_are_told_once(config, caplog) -> None:  # type: ignore[no-untyped-def]
    with caplog.at_level("INFO", logger="paddle_portrait"):
        load_trained(config(192, "relu", "{type: Normalize, colour: bgr, mean: [0.0], std: [1.0]}"), NAME)
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    told = warning.getMessage()
    assert f"'{NAME}' were trained otherwise" in told and "my.yml" in told and str(find_config(NAME)) in told
    assert "size 192x192 (trained: 256x256)" in told
    assert "colour order bgr (trained: rgb)" in told
    assert "values 0..1 (trained: -1..1)" in told
    assert "model.backbone.last_act relu (trained: none)" in told and "steps" not in told


@pytest.mark.parametrize("weights", [NAME, weights_file(NAME), weights_file(NAME).parent])
def test_the_released_file_is_known_by_its_path(config, caplog, weights) -> None:  # type: ignore[no-untyped-def]
    with caplog.at_level("INFO", logger="paddle_portrait"):
        tell_other_training(config(last_act="relu"), weights, logging.INFO)
    (record,) = caplog.records
    assert record.levelno == logging.INFO and "model.backbone.last_act" in record.getMessage()


@pytest.mark.parametrize("changes", [{}, {"normalize": IN_LEVELS}, {"pretrained": "tiny"}])
def test_the_same_in_other_words_is_no_difference(config, caplog, changes) -> None:  # type: ignore[no-untyped-def]
    tell_other_training(config(**changes), NAME)
    tell_other_training(config(64), "some/other.pdparams")
    assert not caplog.records


@pytest.mark.parametrize("name", sorted(released()))
def test_no_released_network_differs_from_its_own_config(caplog, name: str) -> None:  # type: ignore[no-untyped-def]
    tell_other_training(load_config(find_config(name), ["model.mirrored=null"] if name == "highres" else []), name)
    assert not caplog.records
