"""What is exported computes what was trained, in every format and form, and lies where the contract says."""

from __future__ import annotations

import json

import cv2
import numpy as np
import paddle
import pytest
import yaml
from scipy.special import softmax

from paddle_portrait.export import export_model
from paddle_portrait.export.parity import make_trials
from paddle_portrait.inference import Predictor
from paddle_portrait.preprocess import Preprocess

FORMATS = ("paddle", "onnx", "paddle_legacy")
PARITY_KEYS = {
    *("ran", "passed", "limit", "limited", "max_abs_diff", "mean_abs_diff", "mask_iou", "finite", "bytes"),
    *("operators", "runtime", "one_class_diff", "worst_trial", "photos", "rewrites", "why"),
}


def expected_person(network: paddle.nn.Layer, photo: np.ndarray) -> np.ndarray:
    """Return the person probability at the network's size, by the shortest way there is (float64)."""
    resized = cv2.resize(photo, (48, 64), interpolation=cv2.INTER_LINEAR).astype(np.float64) / 255
    tensor = ((resized - 0.5) / 0.5).transpose(2, 0, 1)[None].astype(np.float32)
    network.eval()
    with paddle.no_grad():
        logits = network(paddle.to_tensor(tensor)).logits.numpy().astype(np.float64)
    if logits.shape[1] == 1:
        return 1 / (1 + np.exp(-logits[0, 0]))
    return 1 - softmax(logits[0], axis=0)[0]


@pytest.mark.parametrize(
    ("output_op", "input_shape"),
    [
        ("softmax", None),
        ("softmax", (-1, -1)),
        ("argmax", None),
        ("argmax", (-1, -1)),
        ("sigmoid", None),
        ("none", None),
    ],
)
def test_every_format_computes_what_was_trained(output_op, input_shape, network, transforms, photo, tmp_path):
    report = export_model(network, transforms, tmp_path / "e", FORMATS, output_op, input_shape)

    assert {path.name for path in (tmp_path / "e").iterdir()} == {
        *("deploy.yaml", "parity.json", "model.json", "model.pdiparams", "onnx", "paddle_legacy")
    }
    assert (tmp_path / "e/onnx/model.onnx").is_file()
    assert {path.name for path in (tmp_path / "e/paddle_legacy").iterdir()} == {"model.pdmodel", "model.pdiparams"}
    assert {path.name for path in tmp_path.iterdir()} == {"e"}, "temporary files are gone"
    assert report.input_shape == ((-1, 3, -1, -1) if input_shape else (1, 3, 64, 48))

    proof = json.loads((tmp_path / "e/parity.json").read_text())["targets"]
    assert set(proof) == set(FORMATS)
    for entry in proof.values():
        assert set(entry) == PARITY_KEYS
        assert entry["ran"] and entry["passed"] and entry["finite"]
        assert entry["limit"] == 1e-4 >= entry["max_abs_diff"] >= entry["mean_abs_diff"] >= 0
        assert entry["mask_iou"] == pytest.approx(1, abs=1e-3)
        assert any("conv" in name.lower() for name in entry["operators"])

    person = expected_person(network, photo)
    expected = cv2.resize((person > 0.5).astype(np.float32) if output_op == "argmax" else person, (70, 90))
    for backend in FORMATS:
        predictor = Predictor.load(tmp_path / "e", backend)
        assert (predictor.output_op, predictor.backend_name) == (output_op, backend)
        found = predictor(photo)
        assert (found.shape, found.dtype) == ((90, 70), np.float32)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_deploy_yaml_has_the_keys_of_paddleseg(network, transforms, tmp_path):
    export_model(network, transforms, tmp_path / "e", ("onnx", "paddle_legacy"), "argmax")
    deploy = yaml.safe_load((tmp_path / "e/deploy.yaml").read_text())["Deploy"]
    assert deploy == {
        "model": "model.pdmodel",
        "params": "model.pdiparams",
        "transforms": transforms,
        "input_shape": [1, 3, 64, 48],
        "output_op": "argmax",
        "output_dtype": "int32",
    }
    output = Predictor.load(tmp_path / "e", "paddle_legacy").run(np.zeros((1, 3, 64, 48), np.float32))
    assert (output.dtype, output.shape) == (np.dtype(deploy["output_dtype"]), (1, 64, 48))


def test_heads_of_training_stay_behind(network, transforms, tmp_path):
    export_model(network, transforms, tmp_path / "e", ("paddle", "onnx"))
    used = 8 * 3 * 9 + 8 + 8 * 9 + 8 + 2 * 16 + 2  # three convolutions with a bias each, into which the norms went
    parameters = (tmp_path / "e/model.pdiparams").stat().st_size
    assert used * 4 < parameters < used * 4 + 1000  # names and shapes beside the values

    import onnx

    graph = onnx.load(str(tmp_path / "e/onnx/model.onnx")).graph
    operators = [node.op_type for node in graph.node]
    assert operators.count("Conv") == 3
    assert not {"BatchNormalization", "Dropout"} & set(operators)
    assert len(graph.output) == 1


def test_the_network_is_left_as_it_was(network, transforms, tmp_path):
    network.train()
    before = {name: value.numpy().copy() for name, value in network.state_dict().items()}
    export_model(network, transforms, tmp_path / "e", ("paddle", "paddle_legacy"))
    assert network.training and network.stem.training
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name], err_msg=name)


def test_a_network_that_was_trained_with_the_cpu_kernels(network, transforms, tmp_path):
    from paddle_portrait import kernels

    kernels.accelerate(network)
    network.train()
    report = export_model(network, transforms, tmp_path / "e", ("paddle", "paddle_legacy"), "softmax")
    stock = {"conv2d", "depthwise_conv2d", "relu6", "hardswish", "sigmoid"}
    assert stock <= set(report.targets["paddle"].operators)
    assert all(entry.passed for entry in report.targets.values())


def test_one_class_and_three_classes(build_network, transforms, photo, tmp_path):
    for classes, output_op in ((1, "sigmoid"), (1, "argmax"), (3, "softmax"), (3, "sigmoid"), (3, "none")):
        network = build_network(classes=classes)
        export_model(network, transforms, tmp_path / f"{classes}{output_op}", ("paddle",), output_op)
        person = expected_person(network, photo)
        expected = cv2.resize((person > 0.5).astype(np.float32) if output_op == "argmax" else person, (70, 90))
        np.testing.assert_allclose(Predictor.load(tmp_path / f"{classes}{output_op}")(photo), expected, atol=1e-4)


def test_another_fixed_size_changes_the_resize(network, transforms, photo, tmp_path):
    export_model(network, transforms, tmp_path / "e", ("paddle",), "softmax", (32, 96))
    deploy = yaml.safe_load((tmp_path / "e/deploy.yaml").read_text())["Deploy"]
    assert deploy["input_shape"] == [1, 3, 32, 96]
    assert deploy["transforms"][0] == {"type": "Resize", "target_size": [96, 32]}
    assert transforms[0]["target_size"] == [48, 64], "the caller's list is untouched"
    assert Predictor.load(tmp_path / "e")(photo).shape == (90, 70)


def test_a_graph_for_any_size_takes_sizes_and_batches_it_was_not_traced_with(network, tmp_path):
    export_model(network, [{"type": "Normalize"}], tmp_path / "e", ("onnx", "paddle"), "softmax")
    rng = np.random.default_rng(0)
    same = [rng.integers(0, 256, (40, 56, 3)).astype(np.uint8) for _ in range(3)]
    mixed = [*same, rng.integers(0, 256, (33, 47, 3)).astype(np.uint8)]
    for backend in ("onnx", "paddle"):
        predictor = Predictor.load(tmp_path / "e", backend)
        for images in (same, mixed):
            together = predictor.batch(images)
            for image, person in zip(images, together, strict=True):
                np.testing.assert_allclose(person, predictor(image), atol=1e-5)


def test_a_network_with_a_prior_gets_it(build_network, transforms, photo, tmp_path):
    network = build_network(in_channels=4)
    export_model(network, transforms, tmp_path / "e", ("onnx",), "softmax", channels=4)
    predictor = Predictor.load(tmp_path / "e")
    assert predictor.takes_prior
    nothing, everything = predictor(photo), predictor(photo, np.ones((90, 70), np.float32))
    assert np.abs(nothing - everything).max() > 1e-3
    stream = predictor.stream()
    first, second = stream(photo), stream(photo)
    np.testing.assert_array_equal(first, nothing)
    np.testing.assert_array_equal(second, predictor(photo, first))
    stream.reset()
    np.testing.assert_array_equal(stream(photo), nothing)
    assert stream(photo[:80]).shape == (80, 70), "a change of resolution starts anew"


@pytest.mark.parametrize("name", ["PPHumanSegLite", "SINet"])
def test_the_first_network_and_one_of_paddleseg(name, transforms, tmp_path):
    pytest.importorskip("paddleseg")
    from paddle_portrait.registry import MODELS

    paddle.seed(1)
    network = MODELS.build(name, num_classes=2)
    with paddle.no_grad():
        for _ in range(3):  # statistics that fit the weights
            network(paddle.randn([2, 3, 64, 64]))
    report = export_model(network, transforms, tmp_path / "e", ("paddle", "onnx", "paddle_legacy"), "softmax", (64, 64))
    assert all(entry.passed for entry in report.targets.values())


@pytest.mark.parametrize(("steps", "size"), [(["Resize", "Normalize"], (64, 48)), (["Normalize"], (256, 192))])
def test_real_photos_among_the_trials_go_through_the_exports_preprocessing(steps, size, network, transforms, photo):
    preprocess = Preprocess.from_transforms([node for node in transforms if node["type"] in steps])
    trials = make_trials(network, preprocess, (-1, 3, -1, -1), photos=[photo])
    (found,) = [trial for trial in trials if trial.is_photo]
    expected = cv2.resize(photo, size[::-1], interpolation=cv2.INTER_LINEAR).transpose(2, 0, 1) / 127.5 - 1
    assert found.tensor.shape == (1, 3, *size)
    assert np.abs(found.tensor[0] - expected).mean() < 0.01
