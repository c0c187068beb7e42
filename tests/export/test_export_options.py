"""Every form of an exported graph: the predictor gives the same answer as from the plain one."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import paddle
import pytest
import yaml
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.export import export_model
from paddle_portrait.export.options import ExportOptions, settle_options
from paddle_portrait.inference import Predictor
from paddle_portrait.inference.deploy_file import DeployFile
from paddle_portrait.inference.graph_form import GraphForm, Upsampling
from paddle_portrait.models.layers import resize_bilinear

MASKED = [
    (ExportOptions("argmax", bit_packed=8), (1, 64, 6), "uint8"),
    (ExportOptions("argmax", bit_packed=16, flatten_output=True), (1, 64 * 3), "float32"),
    (ExportOptions("argmax", flatten_output=True, pad_input_channels=4), (1, 64 * 48), "int32"),
]
SOFT = [
    (ExportOptions("softmax", flatten_output=True), (1, 2 * 64 * 48), 3, np.float32),
    (ExportOptions("none", upsample_in_graph=False), (1, 2, 32, 24), 3, np.float32),
    (ExportOptions("softmax", upsample_in_graph=False, flatten_output=True), (1, 2 * 32 * 24), 3, np.float32),
    (ExportOptions("sigmoid", normalise_in_graph=True, pad_input_channels=4), (1, 1, 64, 48), 4, np.uint8),
]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Return the network and what its plain export says of a photo: probability and mask at the network's size."""
    import sys

    sys.path.insert(0, str(Path(__file__).parent))
    from conftest import TRANSFORMS, SmallNetwork, randomise

    network = randomise(SmallNetwork())
    coarse = np.random.default_rng(3).uniform(0, 255, (6, 5, 3))
    photo = np.clip(cv2.resize(coarse, (70, 90), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)
    folder = tmp_path_factory.mktemp("plain") / "e"
    export_model(network, TRANSFORMS, folder, ("onnx",), "softmax")
    plain = Predictor.load(folder, "onnx")
    return network, photo, plain(photo), plain.person_at_network_size(plain.prepare(photo)[0])[0]


@pytest.mark.parametrize(("options", "shape", "dtype"), MASKED)
def test_masks_are_those_of_the_plain_export(options, shape, dtype, expected, transforms, tmp_path):
    network, photo, _, person = expected
    report = export_model(network, transforms, tmp_path / "e", ("onnx", "paddle_legacy"), options=options)
    assert all(entry.passed for entry in report.targets.values())
    deploy = yaml.safe_load((tmp_path / "e/deploy.yaml").read_text())
    assert deploy["Deploy"]["output_dtype"] == dtype
    assert deploy["paddle_portrait"]["version"] == 2
    for backend in ("onnx", "paddle_legacy"):
        predictor = Predictor.load(tmp_path / "e", backend)
        tensor = predictor.prepare(photo)[0]
        raw = predictor.run(tensor)
        assert (raw.shape, raw.dtype) == (shape, np.dtype(dtype))
        np.testing.assert_array_equal(predictor.person_at_network_size(tensor)[0], person > 0.5)
    if options.bit_packed == 8:
        np.testing.assert_array_equal(raw[0], np.packbits(person > 0.5, axis=-1))


@pytest.mark.parametrize(("options", "shape", "channels", "dtype"), SOFT)
def test_probabilities_are_those_of_the_plain_export(options, shape, channels, dtype, expected, transforms, tmp_path):
    network, photo, person, _ = expected
    export_model(network, transforms, tmp_path / "e", ("onnx", "paddle"), options=options)
    for backend in ("onnx", "paddle"):
        predictor = Predictor.load(tmp_path / "e", backend)
        tensor = predictor.prepare(photo)[0]
        assert (tensor.shape, tensor.dtype) == ((1, channels, 64, 48), np.dtype(dtype))
        assert predictor.run(tensor).shape == shape
        np.testing.assert_allclose(predictor(photo), person, atol=1e-4)


class WithoutResize(nn.Layer):
    """Ends in a transposed convolution, and looks at the image twice."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2D(3, 4, 2, 2), nn.Conv2DTranspose(4, 2, 2, 2)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.up(self.down(x)) + x.mean(1, keepdim=True)


def test_a_network_that_reads_the_image_by_more_than_convolutions_gets_channels_cut_off(transforms, photo, tmp_path):
    network = WithoutResize()
    answers = []
    for name, channels in (("plain", None), ("wide", 4)):
        options = ExportOptions("sigmoid", pad_input_channels=channels)
        export_model(network, transforms, tmp_path / name, ("onnx",), options=options)
        answers.append(Predictor.load(tmp_path / name)(photo))
    np.testing.assert_allclose(*answers, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ExportOptions("none", upsample_in_graph=False), "WithoutResize does not end in a bilinear resize"),
        (ExportOptions(pad_input_channels=2), "already takes 3 channels"),
    ],
)
def test_what_the_network_cannot_hold(options, message, transforms, tmp_path):
    with pytest.raises(UserError, match=message):
        export_model(WithoutResize(), transforms, tmp_path / "e", ("onnx",), options=options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output_op": "softmax", "bit_packed": 8}, "packs a mask, but output_op is 'softmax'"),
        ({"bit_packed": 4}, "give 8 or 16 pixels"),
        ({"upsample_in_graph": False}, "class numbers cannot be upsampled"),
        ({"output_op": "softmaks"}, "output_op"),
    ],
)
def test_options_that_exclude_each_other(arguments, message):
    with pytest.raises(UserError, match=message):
        ExportOptions(**arguments)


@pytest.mark.parametrize(
    ("arguments", "shape", "takes_prior", "message"),
    [
        ({"bit_packed": 16}, (1, 3, 64, 40), False, "multiple of 16; it is 40"),
        ({"bit_packed": 8}, (1, 3, -1, -1), False, "it is any"),
        ({"normalise_in_graph": True}, (1, 4, 64, 48), True, "previous frame's probability"),
        (
            {"output_op": "none", "flatten_output": True, "upsample_in_graph": False},
            (1, 3, -1, -1),
            False,
            "fixed input size",
        ),
    ],
)
def test_options_that_do_not_go_with_an_input(arguments, shape, takes_prior, message):
    with pytest.raises(UserError, match=message):
        ExportOptions(**arguments).check_shape(shape, 3, takes_prior)


def test_flags_come_before_the_config():
    section = {"output_op": "softmax", "flatten_output": True, "upsample_in_graph": False, "pad_input_channels": 4}
    assert settle_options(section, {}) == ExportOptions("softmax", None, True, 4, False)
    assert settle_options(section, {"upsample_in_graph": "on"}).upsample_in_graph
    assert settle_options({"person_only": True, "output_op": "softmax"}, {}).output_op == "sigmoid"
    assert settle_options({}, {"person_only": True, "with_softmax": True}).output_op == "sigmoid"
    assert settle_options({"bit_packed": True}, {}).bit_packed == 8
    assert settle_options({"bit_packed": True}, {"bit_packed": 16}).bit_packed == 16
    assert settle_options({}, {}) == ExportOptions()


@pytest.mark.parametrize(("align_corners", "legacy"), [(False, False), (True, False), (False, True)])
def test_the_hosts_resize_is_the_networks(align_corners, legacy):
    small = np.random.default_rng(1).standard_normal((2, 3, 7, 10)).astype(np.float32)
    with paddle.no_grad():
        wanted = resize_bilinear(paddle.to_tensor(small), (28, 37), align_corners, legacy).numpy()
    np.testing.assert_allclose(Upsampling(4, align_corners, legacy)(small, (28, 37)), wanted, atol=1e-5)


def test_a_form_that_this_version_does_not_know_is_refused(expected, transforms, tmp_path):
    export_model(expected[0], transforms, tmp_path / "e", ("paddle",), "softmax")
    path = tmp_path / "e/deploy.yaml"
    path.write_text(path.read_text().replace("flat: false", "flat: false, tiled: 4"))
    with pytest.raises(UserError, match="tiled"):
        DeployFile.read(tmp_path / "e")


def test_files_of_the_first_version_are_plain(expected, transforms, tmp_path):
    export_model(expected[0], transforms, tmp_path / "e", ("paddle",), "softmax")
    path = tmp_path / "e/deploy.yaml"
    content = yaml.safe_load(path.read_text())
    content["paddle_portrait"]["version"] = 1
    del content["paddle_portrait"]["form"]
    path.write_text(yaml.safe_dump(content))
    assert DeployFile.read(tmp_path / "e").form == GraphForm()
    np.testing.assert_allclose(Predictor.load(tmp_path / "e")(expected[1]), expected[2], atol=1e-4)


def test_a_norm_that_follows_no_convolution_stays_exact(randomise, transforms, tmp_path):
    class Norms(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.twice = nn.Conv2D(3, 4, 1, bias_attr=False), nn.Conv2D(4, 4, 3, padding=1, groups=2)
            self.norms = nn.LayerList([nn.BatchNorm2D(4) for _ in range(3)])
            self.joined = nn.BatchNorm2D(8)
            self.up = nn.Conv2DTranspose(8, 4, 2, 2, groups=2)
            self.last = nn.BatchNorm2D(4)
            self.head = nn.Conv2D(4, 2, 2, 2)

        def forward(self, x):
            first = self.norms[0](self.conv(x))
            second = self.norms[2](self.twice(self.norms[1](self.twice(first))))
            return self.head(self.last(self.up(self.joined(paddle.concat([first, second], axis=1)))))

    report = export_model(randomise(Norms()), transforms, tmp_path / "e", ("paddle",), "none")
    assert not [name for name in report.targets["paddle"].operators if "norm" in name]
    stored = _values_of(tmp_path / "e/model.json")
    own = 12 + (4 * 2 * 9 + 4) + 8 * 2 * 4 + (4 * 2 * 4 + 2)
    assert stored == own + 4 + 2 * (4 + 4) + 2 * 8 + 4


def _values_of(model: Path) -> int:
    program = json.loads(model.read_text())["program"]
    operators = [one for region in program["regions"] for block in region["blocks"] for one in block["ops"]]
    return sum(math.prod(one["O"]["TT"]["D"][1]) for one in operators if one["#"] == "p")
