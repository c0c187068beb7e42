"""Every target that another runtime reads: the same network, the same masks, and errors that a user can mend."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import paddle
import pytest
import yaml
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.export import ExportError, ParityError, export_model
from paddle_portrait.export.errors import MissingPackageError
from paddle_portrait.export.targets import onnx as onnx_target
from paddle_portrait.export.targets import tflite as tflite_target
from paddle_portrait.inference import Predictor
from paddle_portrait.inference.backends import RUNTIMES
from paddle_portrait.inference.deploy_file import TargetFiles
from paddle_portrait.models.output import as_seg_output

ROOT = Path(__file__).resolve().parents[2]
TRANSFORMS = [{"type": "Resize", "target_size": [48, 64]}, {"type": "Normalize", "mean": [0.5] * 3, "std": [0.5] * 3}]
NEEDS = {
    "onnx": "onnxruntime",
    "onnx_fp16": "onnxruntime",
    "openvino": "openvino",
    "openvino_fp16": "openvino",
    "mnn": "MNN",
    "ncnn": "pnnx",
    "tflite": "ai_edge_litert",
}


def lacking(name: str) -> str | None:
    """Return what this environment lacks to write and run a target."""
    if name == "tflite" and tflite_target.ENVIRONMENT.find() is None:
        return tflite_target.ENVIRONMENT.install
    needs = {NEEDS[name], RUNTIMES[name].needs}
    return next((module for module in needs if importlib.util.find_spec(module) is None), None)


HERE = [name for name in NEEDS if lacking(name) is None]
each_target = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.skipif(name not in HERE, reason=f"needs {lacking(name)}")) for name in NEEDS],
)


@pytest.fixture(scope="module")
def network(build_network):
    built = build_network()
    built.eval()
    return built


@pytest.fixture(scope="module")
def fixed(network, tmp_path_factory) -> Path:
    """An export to every format that can be made here, for one size, giving probabilities."""
    folder = tmp_path_factory.mktemp("fixed") / "e"
    export_model(network, TRANSFORMS, folder, ["paddle", *HERE], "softmax")
    return folder


@pytest.fixture
def copied(fixed, tmp_path) -> Path:
    return Path(shutil.copytree(fixed, tmp_path / "copied"))


def reference(network, predictor: Predictor, picture: np.ndarray) -> np.ndarray:
    with paddle.no_grad():
        logits = as_seg_output(network(paddle.to_tensor(predictor.prepare(picture)[0]))).logits.numpy()
    return 1 / (1 + np.exp(np.float64(logits[:, 0]) - logits[:, 1]))


@each_target
def test_it_is_the_trained_network(name, network, fixed, photo):
    entry = json.loads((fixed / "parity.json").read_text())["targets"][name]
    assert entry["ran"] is True and entry["passed"] is True and entry["finite"] is True
    assert entry["limit"] == (2e-3 if name.endswith("fp16") else 1e-4)
    assert entry["max_abs_diff"] <= entry["limit"] and entry["mask_iou"] > 0.99
    assert entry["operators"] and entry["bytes"] > 1000 and entry["runtime"]
    files = yaml.safe_load((fixed / "deploy.yaml").read_text())["paddle_portrait"]["targets"][name]
    assert files["model"].startswith(f"{name}/") and (fixed / files["model"]).is_file()
    assert set(files["sha256"]) == {files["model"], *([files["params"]] if "params" in files else [])}

    predictor = Predictor.load(fixed, name, threads=1)
    found, expected = (
        predictor.person_at_network_size(predictor.prepare(photo)[0]),
        reference(network, predictor, photo),
    )
    assert predictor.backend_name == name and found.shape == expected.shape
    assert np.abs(found - expected).max() <= entry["limit"]
    sure = np.abs(expected - 0.5) > entry["limit"]
    assert sure.any() and ((found > 0.5) == (expected > 0.5))[sure].all()


@each_target
def test_threads_change_nothing(name, fixed, photo):
    one = Predictor.load(fixed, name, threads=1)
    pictures = [np.roll(photo, shift, axis=0) for shift in range(6)]
    alone = [one(picture) for picture in pictures]
    assert np.allclose(Predictor.load(fixed, name, threads=2)(photo), alone[0], atol=1e-5)
    with ThreadPoolExecutor(4) as pool:
        for found, expected in zip(pool.map(one, pictures * 4), alone * 4, strict=True):
            assert np.array_equal(found, expected)


def test_sizes_and_counts_of_images_that_change(network, photo, tmp_path):
    formats = [name for name in HERE if name not in ("ncnn", "tflite")]
    export_model(network, TRANSFORMS[1:], tmp_path / "e", formats, "argmax", input_shape=(-1, 3, -1, -1))
    pictures = [photo[:64, :48], photo[:80, :64], photo[:64, :48]]
    answers = {name: Predictor.load(tmp_path / "e", name, threads=1).batch(pictures) for name in formats}
    pairs = {name: Predictor.load(tmp_path / "e", name, threads=1).batch(pictures[:1] * 2) for name in formats}
    for name in formats:
        for found, expected in zip(answers[name], answers["onnx"], strict=True):
            assert np.mean(found != expected) < 0.01, name
        assert np.array_equal(pairs[name][0], pairs[name][1]) and np.array_equal(pairs[name][0], answers[name][0])


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("ncnn", {"input_shape": (-1, 3, -1, -1)}, "ncnn: it is made for one input size.*--input_shape"),
        ("tflite", {"input_shape": (-1, 3, -1, -1)}, "tflite: it is made for one input size.*--input_shape"),
        ("ncnn", {"output_op": "argmax"}, "ncnn: it has no argmax.*--output_op softmax"),
    ],
)
def test_what_a_target_cannot_hold_is_refused(name, arguments, message, network, tmp_path):
    transforms = TRANSFORMS[1:] if "input_shape" in arguments else TRANSFORMS
    with pytest.raises(ExportError, match=message):
        export_model(network, transforms, tmp_path / "e", (name,), **{"output_op": "softmax", **arguments})
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif("ncnn" not in HERE, reason="ncnn or pnnx is not installed")
def test_layers_that_ncnn_does_not_have_are_named(tmp_path):
    # Twice the size by kernel 3: only the last row and column are cut off, as in Slim-Net.
    raise_size = nn.Conv2DTranspose(8, 2, 3, stride=2, padding=[0, 1, 0, 1])
    network = nn.Sequential(nn.Conv2D(3, 8, 3, stride=2, padding=1), raise_size)
    with pytest.raises(ExportError, match=r"format ncnn: it has no layer for ConvTranspose \(.*check_ops"):
        export_model(network, TRANSFORMS, tmp_path / "e", ("ncnn",), "softmax")
    assert not list(tmp_path.iterdir())


@each_target
def test_damaged_files_are_refused(name, copied):
    files = yaml.safe_load((copied / "deploy.yaml").read_text())["paddle_portrait"]["targets"][name]
    for file in files["sha256"]:
        path = copied / file
        whole = path.read_bytes()
        for content, message in (
            (whole[:-1], "sha256 differs"),
            (whole[:-1] + b"!", "sha256 differs"),
            (None, "missing"),
        ):
            path.unlink()
            if content is not None:
                path.write_bytes(content)
            with pytest.raises(UserError, match=message) as error:
                Predictor.load(copied, name)
            assert file in str(error.value)
            path.write_bytes(whole)
    Predictor.load(copied, name)


@pytest.mark.parametrize("name", [name for name in HERE if name != "ncnn"])
def test_a_file_without_a_sum_that_the_runtime_cannot_read(name, copied):
    deploy = yaml.safe_load((copied / "deploy.yaml").read_text())
    files = deploy["paddle_portrait"]["targets"][name]
    files["sha256"] = {}
    (copied / "deploy.yaml").write_text(yaml.safe_dump(deploy))
    (copied / files["model"]).write_bytes(b"no model at all, but long enough to be taken for one" * 40)
    with pytest.raises(UserError, match=f"back end '{name}' cannot load .*{files['model']}"):
        Predictor.load(copied, name)


@pytest.mark.parametrize("name", [name for name in HERE if name != "onnx_fp16"])
def test_a_graph_that_lies_is_not_exported(name, network, fixed, tmp_path, monkeypatch):
    def tampered(job, folder):
        import onnx
        from onnx import numpy_helper

        model = onnx.load(str(fixed / "onnx" / "model.onnx"))
        weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
        values = numpy_helper.to_array(weight).copy()
        values.flat[0] += 1.0
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))
        for name in ("model.onnx", onnx_target.PLAIN):
            onnx.save(model, str(folder / name))
        return TargetFiles("model.onnx")

    monkeypatch.setattr(onnx_target, "write", tampered)
    with pytest.raises(ParityError, match=f"{name}: largest difference in probability"):
        export_model(network, TRANSFORMS, tmp_path / "e", (name,), "softmax")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "module", "command"),
    [
        ("openvino", "openvino", "pip install openvino"),
        ("openvino_fp16", "openvino", "pip install openvino"),
        ("mnn", "MNN", "pip install MNN"),
        ("ncnn", "pnnx", "pip install --no-deps pnnx"),
    ],
)
def test_a_missing_package_is_named_with_its_command(name, module, command, network, tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None if wanted == module else found(wanted))
    with pytest.raises(MissingPackageError, match=command) as error:
        export_model(network, TRANSFORMS, tmp_path / "e", (name,), "softmax")
    assert module in str(error.value) and not list(tmp_path.iterdir())


def test_a_missing_environment_is_named_with_its_command(network, tmp_path, monkeypatch):
    monkeypatch.setenv(tflite_target.ENVIRONMENT.variable, str(tmp_path / "no" / "python"))
    with pytest.raises(MissingPackageError, match=r"no/python', which is no interpreter.*make tflite-env"):
        export_model(network, TRANSFORMS, tmp_path / "e", ("tflite",), "softmax")


@pytest.mark.parametrize("script", ["make_tflite_env.sh", "make_lite_env.sh"])
def test_an_environment_without_its_python_ends_with_3(script, tmp_path):
    named = {f"{kind}_{what}": str(tmp_path / "none") for kind in ("LITE", "TFLITE") for what in ("ENV", "PYTHON")}
    done = subprocess.run(["sh", str(ROOT / ".ci" / script)], env=os.environ | named, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "error:" in done.stderr and "PYTHON=/path/to/python3" in done.stderr
    assert not list(tmp_path.iterdir())


def test_no_back_end_needs_paddle_but_its_own(fixed, photo, tmp_path):
    np.save(tmp_path / "photo.npy", photo)
    code = f"""
import sys
sys.modules['paddle'] = None
import numpy as np
from paddle_portrait.inference import Predictor
photo = np.load({str(tmp_path / "photo.npy")!r})
answers = [Predictor.load({str(fixed)!r}, name, threads=1)(photo) for name in {HERE!r}]
print(max(float(np.abs(answer - answers[0]).max()) for answer in answers))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 2e-3


@each_target
def test_threads_that_come_first_together_do_not_wait_for_each_other(name, fixed):
    # Bindings that find NumPy in their first call have hung here; a child can be killed, a thread of ours could not.
    code = f"""
import threading
from pathlib import Path
import numpy as np
from paddle_portrait.inference.backends import open_backend
from paddle_portrait.inference.deploy_file import DeployFile
folder = Path({str(fixed)!r})
deploy = DeployFile.read(folder)
backend = open_backend({name!r}, folder, deploy.targets[{name!r}], 1)
tensor = np.zeros([1 if side < 0 else side for side in deploy.input_shape], np.float32)
together = threading.Barrier(4)
threads = [threading.Thread(target=lambda: (together.wait(), backend.run(tensor))) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
    for _ in range(4):
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=ROOT)
