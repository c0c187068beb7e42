"""The predictor on exports of any making, and what it says when it cannot run."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from scipy.special import expit

from paddle_portrait import zoo
from paddle_portrait.errors import UserError
from paddle_portrait.inference import Predictor

ROOT = Path(__file__).resolve().parents[2]


def expected_person(photo: np.ndarray, size_wh: tuple[int, int] | None = (48, 64)) -> np.ndarray:
    """Return what the graph of ``conftest`` must answer, at the network's size."""
    resized = photo if size_wh is None else cv2.resize(photo, size_wh)
    return expit(((resized.astype(np.float64) / 255 - 0.5) / 0.5).sum(axis=2))


@pytest.mark.parametrize(
    ("ending", "output_op"), [("Softmax", "softmax"), ("Sigmoid", "sigmoid"), ("ArgMax", "argmax"), ("Logits", "none")]
)
@pytest.mark.parametrize("declared", [True, False])
def test_plain_deploy_yaml_of_paddleseg(ending, output_op, declared, make_export, photo, caplog):
    deploy = {"output_op": output_op} if declared else {}
    with caplog.at_level("INFO", "paddle_portrait"):
        predictor = Predictor.load(make_export(ending, **deploy))
    assert predictor.output_op == output_op
    assert predictor.describe_output() in caplog.text and "onnxruntime" in caplog.text
    person = expected_person(photo)
    if output_op == "argmax":
        person = (person > 0.5).astype(np.float32)
    found = predictor(photo)
    assert (found.dtype, found.shape) == (np.float32, (90, 70))
    np.testing.assert_allclose(found, cv2.resize(person.astype(np.float32), (70, 90)), atol=1e-5)


def test_a_graph_for_any_size(make_export, photo):
    normalize = [{"type": "Normalize"}]
    predictor = Predictor.load(make_export(shape=(-1, 3, -1, -1), transforms=normalize), threads=1)
    images = [photo, photo[::-1].copy(), photo[:60]]
    for image, person in zip(images, predictor.batch(images), strict=True):
        np.testing.assert_allclose(person, expected_person(image, None), atol=1e-5)
        np.testing.assert_array_equal(person, predictor(image))
    together = predictor.batch(images[:2])
    np.testing.assert_allclose(together[1], expected_person(images[1], None), atol=1e-5)
    assert predictor.batch([]) == []


def test_padding_is_cut_off_again(make_export):
    photo = np.full((30, 60, 3), 200, np.uint8)
    steps = [
        {"type": "ResizeByLong", "long_size": 64},
        {"type": "Padding", "target_size": [64, 64]},
        {"type": "Normalize"},
    ]
    person = Predictor.load(make_export(shape=(1, 3, 64, 64), transforms=steps))(photo)
    np.testing.assert_allclose(person, expit(3 * (200 / 255 - 0.5) / 0.5), atol=1e-5)


def test_stream_of_a_network_without_memory(make_export, photo):
    predictor = Predictor.load(make_export())
    stream = predictor.stream()
    for frame in (photo, photo[::-1].copy(), photo):
        np.testing.assert_array_equal(stream(frame), predictor(frame))
    stream.reset()
    np.testing.assert_array_equal(stream(photo), predictor(photo))


def test_calls_leave_the_image_alone_and_repeat_bit_for_bit(make_export, photo):
    predictor, before = Predictor.load(make_export()), photo.copy()
    first = predictor(photo)
    np.testing.assert_array_equal(predictor(photo), first)
    np.testing.assert_array_equal(photo, before)


def broken_yaml(directory):
    (directory / "deploy.yaml").write_text("Deploy: [")


def no_deploy_section(directory):
    (directory / "deploy.yaml").write_text("model: model.onnx\n")


def empty_yaml(directory):
    (directory / "deploy.yaml").write_text("")


def no_yaml(directory):
    (directory / "deploy.yaml").unlink()


def no_graph(directory):
    (directory / "model.onnx").unlink()


def cut_graph(directory):
    path = directory / "model.onnx"
    path.write_bytes(path.read_bytes()[:-40])


def not_a_graph(directory):
    (directory / "model.onnx").write_bytes(b"no protobuf")


def change(**values):
    def edit(directory):
        content = yaml.safe_load((directory / "deploy.yaml").read_text())
        content["Deploy"].update(values)
        (directory / "deploy.yaml").write_text(yaml.safe_dump(content))

    return edit


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (no_yaml, "it is not an exported model.*tools/export.py"),
        (broken_yaml, "is not valid YAML"),
        (empty_yaml, "holds no keys"),
        (no_deploy_section, "key 'Deploy' is missing"),
        (no_graph, "names the model 'model.onnx', which is not in"),
        (cut_graph, "back end 'onnx' cannot load"),
        (not_a_graph, "back end 'onnx' cannot load"),
        (change(output_op="sofmax"), "Deploy.output_op is 'sofmax'; allowed: argmax, softmax"),
        (change(input_shape=[3, 64, 48]), "must be four numbers"),
        (change(transforms=[{"type": "Rezise"}]), "Did you mean 'Resize'"),
    ],
)
def test_damaged_exports(damage, complaint, make_export):
    directory = make_export()
    damage(directory)
    with pytest.raises(UserError, match=f"(?s){complaint}"):
        Predictor.load(directory)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (change(output_op="argmax"), "not a result of 'argmax'"),
        (change(output_op="softmax", input_shape=[1, 3, 32, 32]), r"takes inputs of shape \[1, 3, 32, 32\]"),
    ],
)
def test_exports_that_contradict_themselves(damage, complaint, make_export, photo):
    directory = make_export()
    damage(directory)
    with pytest.raises(UserError, match=complaint):
        Predictor.load(directory)(photo)


def test_a_file_of_another_export(make_export, photo):
    directory, other = make_export(), make_export("Sigmoid", name="other")
    ours = {
        "version": 1,
        "preprocess": {
            **{"version": 1, "input_size_hw": [64, 48], "colour": "rgb", "scale": 1 / 255, "mean": [0.5], "std": [0.5]},
            "steps": [{"type": "Resize", "target_size": [48, 64]}],
        },
        "takes_prior": False,
        "targets": {"onnx": {"model": "model.onnx", "sha256": {"model.onnx": "0" * 64}}},
    }
    content = {**yaml.safe_load((directory / "deploy.yaml").read_text()), "paddle_portrait": ours}
    (directory / "deploy.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match="is not the file that was exported"):
        Predictor.load(directory)

    from hashlib import sha256

    ours["targets"]["onnx"]["sha256"]["model.onnx"] = sha256((directory / "model.onnx").read_bytes()).hexdigest()
    (directory / "deploy.yaml").write_text(yaml.safe_dump(content))
    np.testing.assert_array_equal(Predictor.load(directory)(photo), Predictor.load(make_export(name="plain"))(photo))

    (directory / "model.onnx").write_bytes((other / "model.onnx").read_bytes())
    with pytest.raises(UserError, match="is not the file that was exported"):
        Predictor.load(directory)

    ours["version"] = 9
    (directory / "deploy.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match="version is 9; this version reads 1 and 2"):
        Predictor.load(directory)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"backend": "onxx"}, "unknown back end 'onxx'. Did you mean 'onnx'"),
        ({"backend": "paddle"}, "has no 'paddle' target; it has: onnx"),
        ({"threads": 0}, "threads must be 1 or more"),
    ],
)
def test_arguments_refused(arguments, complaint, make_export):
    with pytest.raises(UserError, match=complaint):
        Predictor.load(make_export(), **arguments)


def test_a_prior_for_a_network_without(make_export, photo):
    with pytest.raises(UserError, match="takes no prior"):
        Predictor.load(make_export())(photo, np.zeros((90, 70), np.float32))


def run_without(packages: list[str], code: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a new Python in which ``packages`` cannot be imported."""
    blocked = f"import sys; sys.modules.update(dict.fromkeys({packages!r}))\n"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", blocked + textwrap.dedent(code)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_runs_where_paddle_is_not_installed(make_export):
    directory = make_export()
    done = run_without(
        ["paddle", "paddleseg"],
        f"""
        import numpy as np
        from paddle_portrait.inference import Predictor
        assert Predictor.load({str(directory)!r})(np.zeros((20, 30, 3), np.uint8)).shape == (20, 30)
        """,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("backend", "complaint"),
    [("auto", "Install one: 'pip install onnxruntime'"), ("onnx", "not installed: pip install onnxruntime")],
)
def test_says_what_to_install(backend, complaint, make_export):
    directory = make_export()
    done = run_without(
        ["onnxruntime"],
        f"from paddle_portrait.inference import Predictor; Predictor.load({str(directory)!r}, {backend!r})",
    )
    assert complaint in done.stderr.splitlines()[-1]


def test_model_json_where_deploy_yaml_says_pdmodel(make_export, tmp_path, caplog):
    """PaddleSeg on Paddle 3 writes the one and names the other."""
    paddle = pytest.importorskip("paddle")
    directory = tmp_path / "seg"
    network = paddle.nn.Sequential(paddle.nn.Conv2D(3, 2, 1), paddle.nn.Softmax(axis=1))
    spec = [paddle.static.InputSpec([1, 3, 64, 48], "float32", "x")]
    paddle.jit.save(paddle.jit.to_static(network, input_spec=spec, full_graph=True), str(directory / "model"))
    transforms = [{"type": "Resize", "target_size": [48, 64]}, {"type": "Normalize"}]
    deploy = {"model": "model.pdmodel", "params": "model.pdiparams", "transforms": transforms}
    (directory / "deploy.yaml").write_text(yaml.safe_dump({"Deploy": deploy}))
    with caplog.at_level("WARNING", "paddle_portrait"):
        predictor = Predictor.load(directory)
    assert "model.pdmodel" in caplog.text and "model.json" in caplog.text
    assert (predictor.backend_name, predictor.output_op) == ("paddle", "softmax")
    black = np.zeros((9, 7, 3), np.uint8)
    logits = network[0](paddle.full([1, 3, 1, 1], -1.0)).numpy().ravel()
    np.testing.assert_allclose(predictor(black), expit(logits[1] - logits[0]), atol=1e-5)

    (directory / "model.pdiparams").unlink()
    with pytest.raises(UserError, match=r"model.pdiparams' is missing"):
        Predictor.load(directory)


def test_names_of_the_zoo(make_export, photo, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "_ROOT", tmp_path)
    monkeypatch.setattr(zoo, "released", dict)  # stand-ins have other sums: tests/zoo looks at those
    with pytest.raises(UserError, match="'lite' is a name kept for a model that is not released yet"):
        Predictor.load("lite")
    with pytest.raises(UserError, match="none of the default ones"):
        zoo.default_export()
    with pytest.raises(UserError, match="Did you mean 'lite'"):
        Predictor.load("lyte")
    with pytest.raises(UserError, match="no directory 'some/where'"):
        Predictor.load("some/where")
    (tmp_path / "export_model").mkdir()
    for name in ("mediapipe_selfie_general", "lite"):
        make_export(name=f"export_model/{name}")
        assert zoo.default_export().name == name
    assert Predictor.load("lite")(photo).shape == (90, 70)
    assert zoo.find_weights("run/model.pdparams") == Path("run/model.pdparams")
    with pytest.raises(UserError, match="'lite' is a name kept for a model that is not released yet"):
        zoo.find_weights("lite")
    (tmp_path / "pretrained_model/lite").mkdir(parents=True)
    (tmp_path / "pretrained_model/lite/model.pdparams").touch()
    assert zoo.find_weights("lite") == tmp_path / "pretrained_model/lite/model.pdparams"
    with pytest.raises(UserError, match="is a file"):
        Predictor.load(tmp_path / "export_model/lite/deploy.yaml")
