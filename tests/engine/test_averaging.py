"""Averages of weights: their values, what is refused, and the command line on a real network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paddle_portrait.cli.average_weights import main
from paddle_portrait.config import load_config
from paddle_portrait.engine.averaging import average, halved, not_loaded, sharpened, towards_start
from paddle_portrait.engine.trained import build_start
from paddle_portrait.errors import UserError
from paddle_portrait.models import read_weights
from paddle_portrait.models.weights import save_weights
from paddle_portrait.zoo import find_config, find_weights

ONE = {"w": np.float32([[1.0, 2.0]]), "n": np.int64([3])}
OTHER = {"w": np.float32([[3.0, 6.0]]), "n": np.int64([5])}
NAME = "mediapipe_selfie_general"


def test_the_mean_is_that_of_each_value_and_keeps_its_type() -> None:
    mean = average([ONE, OTHER])
    assert mean["w"].dtype == np.float32 and mean["n"].dtype == np.int64
    np.testing.assert_array_equal(mean["w"], [[2.0, 4.0]])
    np.testing.assert_array_equal(mean["n"], [4])


@pytest.mark.parametrize(("share", "expected"), [(0.0, [1.0, 2.0]), (0.25, [1.5, 3.0]), (1.0, [3.0, 6.0])])
def test_the_share_is_that_of_the_start(share: float, expected: list[float]) -> None:
    np.testing.assert_allclose(towards_start(ONE, OTHER, share)["w"][0], expected)


def test_layers_that_are_new_stay_as_trained() -> None:
    start = {"loaded": np.float32([1, 2]), "new.weight": np.float32([5, 6]), "new.bias": np.float32([0, 0])}
    start |= {"added.weight": np.float32([0, 0]), "added.bias": np.float32([0])}
    another = {**start, "new.weight": np.float32([7, 8])}
    empty = {**another, "loaded": np.float32([3, 1])}
    assert not_loaded(start, another, empty) == {"new.weight", "new.bias"}, "zeros alone are a start to mix with"
    trained = {**start, "loaded": np.float32([3, 4]), "new.weight": np.float32([9, 9]), "new.bias": np.float32([2, 2])}
    mixed = towards_start(trained, start, 0.5, {"new.weight", "new.bias"})
    np.testing.assert_array_equal(mixed["loaded"], [2, 3])
    np.testing.assert_array_equal(mixed["new.weight"], [9, 9])
    np.testing.assert_array_equal(mixed["new.bias"], [2, 2])


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: average([]), "nothing to average"),
        (lambda: towards_start(ONE, OTHER, 1.5), "from 0 to 1, not 1.5"),
        (lambda: average([ONE, {"w": ONE["w"]}]), "not of one network"),
        (lambda: sharpened(ONE, ["head."], 2), "begins with 'head.'; the last ones are w, n"),
        (lambda: sharpened(ONE, ["w"], 0), "above 0, not 0"),
        (lambda: average([ONE, {**ONE, "w": np.zeros((2, 2), np.float32)}]), "such as w"),
    ],
)
def test_what_cannot_be_averaged_is_said(act: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        act()


def test_the_command_mixes_a_training_with_its_start(tmp_path: Path) -> None:
    start = read_weights(find_weights(NAME))
    trained = {name: value + np.float32(0.5) for name, value in start.items()}
    save_weights(trained, tmp_path / "trained.pdparams")
    arguments = ["--config", str(find_config(NAME)), "--model_path", str(tmp_path / "trained.pdparams")]
    pretrained = ["--opts", f"model.pretrained={NAME}"]
    assert main([*arguments, "--start_share", "0.5", "--save_dir", str(tmp_path / "out"), *pretrained]) == 0
    mixed = read_weights(tmp_path / "out" / "model.pdparams")
    assert mixed.keys() == start.keys()
    for name, value in start.items():
        np.testing.assert_allclose(mixed[name], value + 0.25, atol=1e-5)


def test_no_value_of_a_new_layer_is_mixed(tmp_path: Path) -> None:
    config = Path(__file__).resolve().parents[2] / "configs/zoo/mobile.yml"
    with_correction = ["--opts", "model.hidden=8"]
    network = build_start(load_config(config, with_correction[1:]))
    trained = {name: value.numpy() + np.float32(0.5) for name, value in network.state_dict().items()}
    save_weights(trained, tmp_path / "trained.pdparams")
    arguments = ["--config", str(config), "--model_path", str(tmp_path / "trained.pdparams"), "--start_share", "0.5"]
    assert main([*arguments, "--save_dir", str(tmp_path), *with_correction]) == 0
    mixed = read_weights(tmp_path / "model.pdparams")
    for name in ("look.weight", "look.bias"):
        np.testing.assert_array_equal(mixed[name], trained[name])
    np.testing.assert_allclose(mixed["correct.weight"], trained["correct.weight"] / 2, rtol=1e-6)
    assert sum(not np.array_equal(mixed[name], value) for name, value in trained.items()) > 300


def test_values_named_are_those_of_the_start(tmp_path: Path) -> None:
    start = read_weights(find_weights(NAME))
    save_weights({name: value + np.float32(0.5) for name, value in start.items()}, tmp_path / "trained.pdparams")
    arguments = ["--config", str(find_config(NAME)), "--model_path", str(tmp_path / "trained.pdparams")]
    rest = ["--save_dir", str(tmp_path / "out"), "--opts", f"model.pretrained={NAME}"]
    assert main([*arguments, "--as_at_start", "head.", *rest]) == 0
    mixed = read_weights(tmp_path / "out" / "model.pdparams")
    for name, value in start.items():
        np.testing.assert_allclose(mixed[name], value + 0.5 * (not name.startswith("head.")), atol=1e-5)


def test_only_the_last_layers_are_sharpened() -> None:
    found = sharpened({"a.w": np.float32([1]), "head.w": np.float32([2]), "head.b": np.float32([3])}, ["head."], 3)
    assert {name: float(value[0]) for name, value in found.items()} == {"a.w": 1, "head.w": 6, "head.b": 9}
    assert found["head.w"].dtype == np.float32


def test_what_half_precision_cannot_hold_stays() -> None:
    state = {"w": np.float32([0.1, 2]), "variance": np.float32([1e6]), "n": np.int64([3]), "none": np.float32([])}
    found = halved(state)
    assert {name: value.dtype.name for name, value in found.items()} == {
        "w": "float16", "variance": "float32", "n": "int64", "none": "float16"
    }  # fmt: skip
    np.testing.assert_array_equal(found["variance"], state["variance"])


def test_half_precision_makes_a_small_file_that_every_tool_reads(tmp_path: Path) -> None:
    arguments = ["--config", str(find_config(NAME)), "--model_path", NAME, "--save_dir", str(tmp_path)]
    assert main([*arguments, "--half"]) == 0
    file, released = tmp_path / "model.pdparams", find_weights(NAME)
    assert file.stat().st_size < 0.6 * released.stat().st_size
    found, expected = read_weights(file), read_weights(released)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name].astype(np.float32), value, rtol=1e-3, atol=1e-6)


def test_a_start_from_random_weights_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = Path(__file__).resolve().parents[2] / "configs/mediapipe_selfie/mediapipe_selfie_general.yml"
    arguments = ["--config", str(config), "--model_path", NAME, "--start_share", "0.5", "--save_dir", str(tmp_path)]
    assert main([*arguments, "--opts", "model.pretrained=null"]) == 2
    assert "starts from random weights" in capsys.readouterr().err
