"""``tools/export.py`` and ``tools/predict.py`` as a user meets them."""

from __future__ import annotations

import json
import textwrap

import cv2
import numpy as np
import paddle
import pytest

from paddle_portrait.cli import export, predict
from paddle_portrait.models import PPHumanSegLite
from paddle_portrait.preprocess import read_image, write_image
from paddle_portrait.zoo import find_config


@pytest.fixture
def project(tmp_path, randomise, photo):
    """Return a folder with a config, weights and pictures."""
    (tmp_path / "config.yml").write_text(
        textwrap.dedent("""\
        model: {type: PPHumanSegLite, pretrained: never_looked_for.pdparams}
        val_dataset:
          type: Dataset
          dataset_root: data/nowhere
          val_path: data/nowhere/val.txt
          mode: val
          transforms:
            - {type: Resize, target_size: [96, 64]}
            - {type: Normalize}
        export: {formats: [onnx], output_op: softmax}
        """)
    )
    network = randomise(PPHumanSegLite())
    (tmp_path / "run").mkdir()
    paddle.save(network.state_dict(), str(tmp_path / "run/model.pdparams"))
    write_image(tmp_path / "photos/one.png", photo)
    write_image(tmp_path / "photos/deeper/zwei ü.png", photo[::-1, :50].copy())
    return tmp_path


def run(command, *arguments):
    return command.main([str(argument) for argument in arguments])


def test_with_softmax_gives_probabilities_of_a_network_with_one_logit(tmp_path, capsys):
    """PaddleSeg's flag for deployment, on a network that has no two classes to take a softmax of."""
    trained = ["--config", find_config("tiny"), "--model_path", "tiny", "--format", "onnx", "--with_softmax"]
    assert run(export, *trained, "--save_dir", tmp_path / "exported") == 0
    assert "output sigmoid" in capsys.readouterr().out
    assert run(export, *trained, "--output_op", "softmax", "--save_dir", tmp_path / "refused") == 2
    assert "Use --output_op sigmoid" in capsys.readouterr().err


def test_checkpoint_and_export_give_the_same_masks(project, capsys):
    trained = ["--config", project / "config.yml", "--model_path", project / "run"]
    assert run(export, *trained, "--save_dir", project / "exported", "--format", "paddle,onnx") == 0
    assert run(predict, *trained, "--image_path", project / "photos", "--save_dir", project / "a") == 0
    for backend in ("paddle", "onnx"):
        arguments = ["--model", project / "exported", "--backend", backend, "--image_path", project / "photos"]
        assert run(predict, *arguments, "--save_dir", project / backend) == 0
        assert "2 of 2 pictures segmented" in capsys.readouterr().out
        for name in ("one.png", "deeper/zwei ü.png"):
            masks = [read_image(project / folder / "mask" / name) for folder in ("a", backend)]
            probability = read_image(project / "a" / "probability" / name)[..., 0].astype(int)
            picture = read_image(project / "photos" / name)
            assert masks[0].shape == masks[1].shape == picture.shape
            differ = (masks[0] != masks[1]).any(axis=2)
            assert not differ[np.abs(probability - 127.5) > 1].any()
            assert 0 < (masks[0] > 0).mean() < 1, "a mask worth comparing"


def test_what_the_config_asks_for_is_exported(project):
    arguments = ["--config", project / "config.yml", "--model_path", project / "run/model.pdparams"]
    assert run(export, *arguments, "--save_dir", project / "e", "--opts", "export.person_only=True") == 0
    assert sorted(path.name for path in (project / "e").iterdir()) == ["deploy.yaml", "onnx", "parity.json"]
    assert list(json.loads((project / "e/parity.json").read_text())["targets"]) == ["onnx"]
    assert "output_op: sigmoid" in (project / "e/deploy.yaml").read_text()


@pytest.mark.parametrize(("listed", "compared"), [(3, 2), (1, 1), (0, 0)])
def test_the_proof_looks_at_real_photos_where_they_are(listed, compared, project):
    if listed:
        (project / "val.txt").write_text("photos/one.png photos/one.png\n" * listed)
    arguments = ["--config", project / "config.yml", "--model_path", project / "run/model.pdparams"]
    paths = [f"val_dataset.dataset_root={project}", f"val_dataset.val_path={project / 'val.txt'}"]
    assert run(export, *arguments, "--save_dir", project / "e", "--opts", *paths) == 0
    entry = json.loads((project / "e/parity.json").read_text())["targets"]["onnx"]
    assert entry["passed"] and entry["photos"] == compared


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "no --model_path"),
        (["--model_path", "nowhere"], "no file or folder 'nowhere' here, and unknown zoo name"),
        (["--model_path", "run", "--opts", "model.num_classes=3"], "missing or of another shape"),
        (["--model_path", "run", "--output_op", "argmax", "--with_softmax"], "contradicts"),
        (["--model_path", "run", "--format", "onxx"], "Did you mean 'onnx'"),
        (["--model_path", "run", "--input_shape", "64"], "give 'H W' or 'N C H W'"),
        (["--model_path", "run", "--with_softmax", "--opts", "export.bit_packed=True"], "packs a mask"),
        (["--model_path", "run", "--output_op", "argmax", "--upsample_in_graph", "off"], "class numbers cannot"),
        (["--model_path", "run", "--device", "gpu:7"], "--device gpu:7"),
    ],
)
def test_export_refuses(arguments, complaint, project, capsys, monkeypatch):
    monkeypatch.chdir(project)
    assert run(export, "--config", "config.yml", *arguments) == 2
    assert complaint in capsys.readouterr().err
    assert not (project / "output").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--config", "config.yml"], "no --model_path"),
        (["--model_path", "run"], "--model_path needs --config"),
        (["--config", "config.yml", "--model_path", "run", "--model", "x"], "--model cannot be used with a checkpoint"),
        (["--model", "photos", "--aug_eval"], "--aug_eval cannot be used with an exported model"),
        (["--model", "photos"], "no deploy.yaml in 'photos'"),
        (["--model", "lit"], "Did you mean 'lite'"),
        (["--config", "config.yml", "--model_path", "run", "--scales", "2"], "without aug_eval"),
        (["--model", "photos", "--custom_color", "1", "2", "3"], "give six numbers"),
    ],
)
def test_predict_refuses(arguments, complaint, project, capsys, monkeypatch):
    monkeypatch.chdir(project)
    assert run(predict, "--image_path", "photos", *arguments) == 2
    assert complaint in capsys.readouterr().err
    assert not (project / "output").exists()


def test_flags_of_evaluation_change_a_checkpoints_answer(project):
    trained = ["--config", project / "config.yml", "--model_path", project / "run"]
    common = [*trained, "--image_path", project / "photos/one.png"]
    runs = {
        "plain": [],
        "augmented": ["--aug_eval", "--flip_horizontal", "--scales", 0.5, 1.0],
        "slide": ["--is_slide", "--crop_size", 48, 32, "--stride", 32, 32],
    }
    found = {}
    for name, flags in runs.items():
        assert run(predict, *common, "--save_dir", project / name, *flags) == 0
        found[name] = cv2.imread(str(project / name / "probability/one.png"), cv2.IMREAD_UNCHANGED)
        assert found[name].shape == (90, 70)
    assert (found["plain"] != found["augmented"]).any() and (found["plain"] != found["slide"]).any()
