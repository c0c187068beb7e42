"""The command: a file of one's own becomes weights that load, released checkpoints keep licence and notice."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import paddle
import pytest

from paddle_portrait import zoo
from paddle_portrait.cli.convert_checkpoint import main
from paddle_portrait.config import load_config
from paddle_portrait.convert.conversion import ROOT
from paddle_portrait.convert.recipes import all_recipes
from paddle_portrait.convert.recipes.recipe import OUTPUTS
from paddle_portrait.models import PPHumanSegLite, load_weights, read_weights
from paddle_portrait.registry import MODELS
from paddle_portrait.zoo.download import sha256_of

_CONFIG = str(ROOT / "configs/pp_humanseg/lite_192x192_mini_portraits.yml")


@pytest.fixture
def own_file(legacy_pth, tmp_path):
    """PP-HumanSeg-Lite as somebody might have ported it to PyTorch: other names, and a network's prefix."""
    paddle.seed(11)
    network = PPHumanSegLite()
    renamed = {
        f"net.{name.replace('_mean', 'running_mean').replace('_variance', 'running_var')}": value.numpy()
        for name, value in network.state_dict().items()
    }
    (tmp_path / "ported.pth").write_bytes(legacy_pth(renamed))
    return tmp_path / "ported.pth", network


def test_a_file_of_ones_own(own_file, tmp_path, capfd):
    path, network = own_file
    out = tmp_path / "out"
    arguments = ["--config", _CONFIG, "--source", str(path), "--rename", r"^net\.=", "--save_dir", str(out)]
    assert main(arguments) == 0
    folder = out / "lite_192x192_mini_portraits"
    assert sorted(file.name for file in folder.iterdir()) == ["MODEL_CARD.md", "model.pdparams"]
    log = capfd.readouterr().err
    assert f"{len(network.state_dict())} keys loaded" in log and "no answer of the original" in log

    loaded = PPHumanSegLite()
    assert not load_weights(loaded, folder).differences
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(loaded.state_dict()[name].numpy(), value.numpy())

    card = folder / "MODEL_CARD.md"
    text = card.read_text(encoding="utf-8")
    assert sha256_of(path) in text and sha256_of(folder / "model.pdparams") in text
    assert "192x192 (width x height), RGB, (value × 0.00392157 − [0.5]) / [0.5]" in text
    card.write_text(text + "\n## Final evaluations\n\n- a look that must not be forgotten\n", encoding="utf-8")
    before = (folder / "model.pdparams").read_bytes()
    assert main(arguments) == 0
    assert (folder / "model.pdparams").read_bytes() == before
    assert card.read_text(encoding="utf-8").endswith("- a look that must not be forgotten\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to convert: a zoo NAME, --all, or --config"),
        (["prisma_net_256", "--all"], "say what to convert"),
        (["prisma_net"], r"unknown convertible checkpoint 'prisma_net'\. Did you mean 'prisma_net_256'\?"),
        (["prisma_net_256", "--checkpoints", "no/such/folder"], r"prisma-net\.tflite': there is no such file"),
        (["--all", "--checkpoints", "no/such/folder"], "'no/such/folder' holds none of the released files"),
        (["--config", _CONFIG], "needs one --source FILE"),
        (["--config", "absent.yml", "--source", "x.pth"], r"absent\.yml"),
        (["--config", _CONFIG, "--source", "x.pth", "--rename", "a"], "rename 'a' must be REGEX=NEW"),
        (["--config", _CONFIG, "--source", "x.pth", "--rename", "(=b"], r"'\(' is no regular expression"),
        (["--config", _CONFIG, "--source", "x.h5", "--rename", "a=b"], "renames are for PyTorch files"),
    ],
)
def test_mistakes_are_explained(arguments, message, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--save_dir", str(tmp_path / "out")]) == 2
    assert re.search(message, capfd.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_another_networks_file_names_the_first_pair(checkpoints, tmp_path, capfd):
    source = checkpoints / "prisma_net" / "prisma_nchw.onnx"
    assert main(["--config", _CONFIG, "--source", str(source), "--save_dir", str(tmp_path)]) == 2
    error = capfd.readouterr().err
    assert "first pair of different shapes is layer 1: conv 'conv_bn0._conv' (weight [36, 3, 3, 3])" in error
    assert "conv 'conv2d_11' (weight [8, 3, 3, 3], bias [8])" in error and "Traceback" not in error


def test_a_released_checkpoint_keeps_its_licence(checkpoints, tmp_path):
    assert main(["humanseg_lite_2020", "--checkpoints", str(checkpoints), "--save_dir", str(tmp_path)]) == 0
    folder = tmp_path / "humanseg_lite_2020"
    assert "Apache License" in (folder / "LICENSE").read_text(encoding="utf-8")
    notice = (folder / "NOTICE").read_text(encoding="utf-8")
    assert "model.json of Paddle.js (https://github.com/PaddlePaddle/Paddle.js)" in notice and "Changes: " in notice
    assert len(read_weights(folder / "model.pdparams")) == 232


def test_every_released_name_of_others_has_a_recipe_that_can_run():
    recipes = all_recipes()
    assert set(recipes) <= set(zoo.NAMES)
    ours = ("tiny", "lite", "lite_398x224", "mobile", "highres", "video")
    assert set(zoo.NAMES) - set(ours) <= set(recipes)
    for recipe in recipes.values():
        assert (ROOT / recipe.config).is_file(), recipe.name
        assert recipe.origin is not None and recipe.sources
        licence = Path(ROOT / "paddle_portrait/convert/licences" / f"{recipe.origin.licence}.txt")
        assert licence.is_file()
        assert recipe.golden is not None and recipe.golden.output in OUTPUTS


def test_list_prints_names_and_files(capfd):
    assert main(["--list"]) == 0
    assert "slim_net/slim_reshape_v2.h5" in capfd.readouterr().out


def test_checkpoints_beside_the_data_sets_are_linked(tmp_path):
    """data/link_shared_data.py, with a folder as the shared one is."""
    specification = importlib.util.spec_from_file_location("link_shared_data", ROOT / "data" / "link_shared_data.py")
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    (tmp_path / "shared" / "data" / "eg1800").mkdir(parents=True)
    (tmp_path / "shared" / "checkpoints").mkdir()
    (tmp_path / "shared" / "checkpoints" / "SHA256SUMS").write_text("x", encoding="utf-8")
    out = tmp_path / "repository" / "data"
    assert script.main(["--source", str(tmp_path / "shared" / "data"), "--out", str(out)]) == 0
    assert (out / "checkpoints" / "SHA256SUMS").is_file() and (out / "eg1800").is_dir()


_FORMS = (
    "deeplab_mnv2_513",
    "mnv3_small_256",
    "prisma_net_256",
    "sinet_320",
    "mediapipe_selfie_general",
    "slimnet_512",
)


@pytest.mark.parametrize("name", _FORMS)
def test_a_fine_tune_with_other_classes_says_which_layers_are_new(name, tmp_path):
    """Whatever the family calls its last layers; the rest of the network is loaded."""
    node = load_config(ROOT / all_recipes()[name].config)["model"]
    node = {key: value for key, value in node.items() if key != "pretrained"}
    released = MODELS.build_node(node)
    paddle.save(released.state_dict(), str(tmp_path / "model.pdparams"))
    report = load_weights(MODELS.build_node({**node, "num_classes": 5}), tmp_path)
    assert report.new and not (report.mismatched or report.missing or report.unexpected or report.resized)
    assert len(report.matched) + len(report.new) == len(released.state_dict())
