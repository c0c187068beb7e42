"""Quantised graphs: what is in int8, what it costs, and that only what is good enough is kept."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import paddle
import paddle.nn.functional as F
import pytest
import yaml
from onnx import numpy_helper
from paddle import nn

from paddle_portrait.cli.quantize import main
from paddle_portrait.config import load_config
from paddle_portrait.export import ExportError, export_model
from paddle_portrait.export.options import ExportOptions
from paddle_portrait.export.quantisation import Request, quantise
from paddle_portrait.export.quantisation.gate import Outcome, QuantisationError
from paddle_portrait.export.quantisation.graph import convolutions, simplified
from paddle_portrait.export.quantisation.judging import Drop, Judgement, judge, miou_drop
from paddle_portrait.export.quantisation.keep_float import with_float_layers
from paddle_portrait.export.quantisation.learned import split, write_learned
from paddle_portrait.export.quantisation.multiply_adds import int8_convolutions, int8_share, multiply_adds
from paddle_portrait.export.quantisation.runtime_ptq import quantise_by_runtime
from paddle_portrait.export.quantisation.sensitivity import LayerHarm, choose_float_layers, outputs_of, scan
from paddle_portrait.export.quantisation.weight_only import quantise_weights
from paddle_portrait.inference import Predictor
from paddle_portrait.models import SegOutput
from paddle_portrait.models.fake_quantisation import calibrate, layers_to_round, round_layers
from paddle_portrait.registry import DATASETS

SIZE = (64, 48)
TRANSFORMS = [{"type": "Resize", "target_size": [48, 64]}, {"type": "Normalize"}]


class Encoder(nn.Layer):
    """Two scales, a depthwise convolution, norms, a skip, and a head that is not deployed."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2D(3, 8, 5, 2, 2, bias_attr=False), nn.BatchNorm2D(8), nn.ReLU())
        self.deep = nn.Sequential(nn.Conv2D(8, 8, 3, 2, 1, groups=8), nn.BatchNorm2D(8), nn.Hardswish())
        self.head = nn.Conv2D(16, 2, 1)
        self.aux_head = nn.Conv2D(8, 2, 1)

    def forward(self, x: paddle.Tensor) -> SegOutput:
        shallow = self.stem(x)
        deep = self.deep(shallow)
        raised = F.interpolate(deep, shallow.shape[2:], mode="bilinear")
        logits = self.head(paddle.concat([shallow, raised], axis=1))
        return SegOutput(F.interpolate(logits, x.shape[2:], mode="bilinear"), (self.aux_head(deep),))


def encoder() -> nn.Layer:
    """Return a network with weights and statistics that are not trivial."""
    network, rng = Encoder(), np.random.default_rng(0)
    for name, value in network.state_dict().items():
        spread = rng.uniform(0.5, 2.0, value.shape) if name.endswith("_variance") else rng.normal(0.2, 0.4, value.shape)
        value.set_value(paddle.to_tensor(spread.astype("float32")))
    network.head.bias.set_value(paddle.to_tensor([0.0, 12.0]))  # a mask that rounding does not turn over
    network.eval()
    return network


@pytest.fixture(scope="module")
def inputs() -> list[np.ndarray]:
    """Return four smooth inputs for the graphs below."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(0, 1, (4, 6, 5, 3)).astype(np.float32)
    return [cv2.resize(one, SIZE[::-1]).transpose(2, 0, 1)[None].copy() for one in coarse]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an export of the small network; nobody may change it."""
    folder = tmp_path_factory.mktemp("small") / "export"
    return export_model(
        encoder(), TRANSFORMS, folder, ("onnx",), options=ExportOptions("sigmoid", rewrites=False)
    ).save_dir


@pytest.fixture(scope="module")
def floating(exported: Path) -> onnx.ModelProto:
    """Return its simplified graph."""
    return simplified(exported / "onnx" / "model.onnx")


def test_simplified_graphs_have_folded_norms_and_answer_alike(exported, floating, inputs):
    kinds = {node.op_type for node in floating.graph.node}
    assert not kinds & {"BatchNormalization", "Identity"}
    assert [entry.domain for entry in floating.opset_import] == [""]
    original = onnx.load(str(exported / "onnx" / "model.onnx"))
    for one, other in zip(outputs_of(floating, inputs), outputs_of(original, inputs), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_multiply_adds_are_those_counted_by_hand(floating, inputs):
    # 3 to 8 channels 5x5 at 32x24; depthwise 3x3 of 8 at 16x12; 16 to 2 channels 1x1 at 32x24.
    counts = multiply_adds(floating, inputs[0])
    assert list(counts.values()) == [32 * 24 * 8 * 75, 16 * 12 * 8 * 9, 32 * 24 * 2 * 16]


def test_a_transposed_convolution_counts_its_input(tmp_path, inputs):
    class Upward(nn.Layer):
        def __init__(self):
            super().__init__()
            self.down, self.up = nn.Conv2D(3, 4, 2, 2), nn.Conv2DTranspose(4, 2, 2, 2)

        def forward(self, x):
            return SegOutput(self.up(self.down(x)))

    folder = export_model(Upward(), TRANSFORMS, tmp_path / "up", ("onnx",), "none").save_dir
    counts = multiply_adds(simplified(folder / "onnx" / "model.onnx"), inputs[0])
    assert list(counts.values()) == [32 * 24 * 4 * 12, 32 * 24 * 4 * 2 * 4]


def test_int8_goes_through_what_only_moves_values():
    def graph(second: str) -> onnx.ModelProto:
        nodes = [
            onnx.helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["levels"]),
            onnx.helper.make_node("DequantizeLinear", ["levels", "scale", "zero"], ["rounded"]),
            onnx.helper.make_node("MaxPool", ["rounded"], ["pooled"], kernel_shape=[2, 2]),
            onnx.helper.make_node("Concat", ["pooled", second], ["joined"], axis=1),
            onnx.helper.make_node("DequantizeLinear", ["weight", "scale", "zero"], ["kernel"]),
            onnx.helper.make_node("Conv", ["joined", "kernel"], ["y"], "Conv.0"),
        ]
        return onnx.helper.make_model(onnx.helper.make_graph(nodes, "moved", [], []))

    assert int8_convolutions(graph("pooled")) == ["Conv.0"]
    assert int8_convolutions(graph("in_float")) == []


def test_weight_only_files_hold_int8_and_answer_nearly_alike(floating, inputs):
    quantised = quantise_weights(floating)
    kinds = {tensor.name: tensor.data_type for tensor in quantised.graph.initializer}
    assert sum(kind == onnx.TensorProto.INT8 and name.endswith("/int8") for name, kind in kinds.items()) == 3
    onnx.checker.check_model(quantised)
    assert int8_convolutions(quantised) == []
    for one, other in zip(outputs_of(floating, inputs), outputs_of(quantised, inputs), strict=True):
        assert 0 < np.abs(one - other).max() < 0.05


def test_layers_go_back_to_float_one_by_one(floating, inputs):
    quantised = quantise_by_runtime(floating, inputs, "minmax")
    counts = multiply_adds(floating, inputs[0])
    names = [node.name for node in convolutions(floating)]
    assert int8_convolutions(quantised) == names and int8_share(counts, quantised) == 1.0
    without_first = with_float_layers(quantised, floating, names[:1])
    onnx.checker.check_model(without_first)
    assert int8_convolutions(without_first) == names[1:]
    assert int8_share(counts, without_first) == pytest.approx(1 - counts[names[0]] / sum(counts.values()))
    whole = with_float_layers(quantised, floating, names)
    weights = {tensor.name for tensor in whole.graph.initializer if tensor.data_type == onnx.TensorProto.INT8}
    assert not {name for name in weights if "conv2d" in name and "quantized" in name}


def test_the_scan_finds_the_layer_that_int8_ruins(tmp_path, inputs):
    # A channel that nobody reads makes the steps of the second layer's input too wide for the others.
    paddle.seed(2)
    first, second = nn.Conv2D(3, 4, 3, padding=1), nn.Conv2D(4, 2, 1)
    first.weight.set_value(first.weight.numpy() * np.array([500, 1, 1, 1], np.float32)[:, None, None, None])
    second.weight.set_value(second.weight.numpy() * np.array([0, 1, 1, 1], np.float32)[None, :, None, None])
    network = nn.Sequential(first, second)
    network.eval()
    floating = simplified(export_model(network, TRANSFORMS, tmp_path, ("onnx",), "none").save_dir / "onnx/model.onnx")
    counts = multiply_adds(floating, inputs[0])
    harms = scan(quantise_by_runtime(floating, inputs, "minmax"), floating, inputs, counts)
    worst = harms[0]
    assert worst.name == list(counts)[1] and worst.harm > 0.5
    assert choose_float_layers(harms, counts, least_share=0.9) == [worst.name]
    assert choose_float_layers(harms, counts, least_share=1.0) == []


def test_what_was_learned_computes_in_onnx_as_it_did_in_training(tmp_path, inputs):
    network = encoder()
    names = layers_to_round(network, ["aux_head"])
    round_layers(network, names)
    calibrate(network, [paddle.to_tensor(np.concatenate(inputs))])
    with pytest.raises(ExportError, match=r"tools/quantize\.py"):
        export_model(network, TRANSFORMS, tmp_path / "refused", ("onnx",), "none")
    plain, learned = split(network)
    folder = export_model(plain, TRANSFORMS, tmp_path / "plain", ("onnx",), "none").save_dir
    graph = write_learned(simplified(folder / "onnx" / "model.onnx"), learned)
    onnx.checker.check_model(graph)
    assert len(int8_convolutions(graph)) == len(names) == 3
    with paddle.no_grad():
        expected = [network(paddle.to_tensor(one)).logits.numpy() for one in inputs]
    for found, wanted in zip(outputs_of(graph, inputs), expected, strict=True):
        # A value at the edge of two levels may fall to either side.
        assert np.abs(found - wanted).mean() < 2e-3 * np.abs(wanted).max()
    levels = [tensor for tensor in graph.graph.initializer if tensor.name.endswith("/int8")]
    assert {numpy_helper.to_array(tensor).dtype.name for tensor in levels} == {"int8"}


def test_weights_that_learned_nothing_are_refused():
    with pytest.raises(ExportError, match="were not trained for int8"):
        split(encoder())


def judgement(confusions: list[list[list[int]]]) -> Judgement:
    return Judgement(np.array(confusions), np.ones(len(confusions)), (1, 1))


def test_the_drop_is_paired_and_in_points():
    images = [[[80, 0], [0, 20]], [[50, 10], [5, 35]], [[60, 0], [0, 40]]]
    worse = [[[80, 0], [2, 18]], [[50, 10], [7, 33]], [[60, 0], [4, 36]]]
    same = miou_drop(judgement(images), [judgement(images)] * 3)
    assert (same.mean, same.low, same.high) == (0, 0, 0) and same.of_draws == (0, 0, 0)
    drop = miou_drop(judgement(images), [judgement(worse), judgement(images)])
    before = (190 / 205 + 95 / 110) / 2
    after = (190 / 213 + 87 / 110) / 2
    assert drop.of_draws == pytest.approx((100 * (before - after), 0.0))
    assert drop.mean == pytest.approx(50 * (before - after)) and drop.low < drop.mean < drop.high


BETTER = Drop(-0.1, -0.4, 0.2, (-0.1,))
WORSE = Drop(0.4, 0.1, 0.7, (0.4,))


@pytest.mark.parametrize(
    ("drop", "share", "size", "parameters", "message"),
    [
        (BETTER, 0.95, 450, 600_000, None),
        (BETTER, 0.95, 900, 400_000, None),
        (BETTER, None, 300, 600_000, None),
        (WORSE, 0.95, 300, 600_000, r"loses 0\.40 points of mIoU \(95 % interval 0\.10 to 0\.70\), allowed are 0\.3"),
        (BETTER, 0.85, 300, 600_000, r"85\.0% of the multiply-adds"),
        (BETTER, 0.95, 460, 600_000, "46% of the float"),
    ],
)
def test_the_gate(drop, share, size, parameters, message):
    harms = [LayerHarm("Conv.3", 0.4, 10)]
    outcome = Outcome("nncf", drop, share, size, 1000, parameters, [], harms, 0.99)
    if message is None:
        outcome.require(0.3)
        return
    with pytest.raises(QuantisationError, match=message) as failed:
        outcome.require(0.3)
    assert "Conv.3 (40%)" in str(failed.value)


def test_photos_whose_mask_has_one_class_do_not_count_as_overlap(exported, config):
    dataset = DATASETS.build_node(load_config(str(config)).component("val_dataset"))
    predictor = Predictor.load(exported, "onnx")
    shares = [float((predictor(dataset.load(index).image) >= 0.5).mean()) for index in range(len(dataset))]
    assert all(share > 0.99 for share in shares)  # to this network everything is a person
    judged = judge({"float": predictor, "other": predictor}, dataset)["other"]
    assert judged.overlap == (0, 0) and judged.mask_iou is None


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Write photos of drawn people, and a config that names them."""
    rng = np.random.default_rng(0)
    lines = []
    for index in range(10):
        mask = np.zeros((SIZE[0], SIZE[1]), np.uint8)
        cv2.circle(mask, (int(rng.integers(15, 33)), int(rng.integers(20, 40))), 14, 255, -1)
        image = np.where(mask[..., None] > 0, *rng.integers(0, 255, (2, 3))).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
        cv2.imwrite(str(tmp_path / f"{index}_mask.png"), mask)
        lines.append(f"{index}.png {index}_mask.png\n")
    (tmp_path / "train.txt").write_text("".join(lines[:6]))
    (tmp_path / "val.txt").write_text("".join(lines[6:]))
    path = tmp_path / "photos.yml"
    sections = {
        f"{mode}_dataset": {
            "type": "Dataset",
            "mode": mode,
            "dataset_root": str(tmp_path),
            f"{mode}_path": str(tmp_path / f"{mode}.txt"),
            "transforms": [{"type": "Resize", "target_size": [48, 64]}, {"type": "Normalize"}],
        }
        for mode in ("train", "val")
    }
    path.write_text(yaml.safe_dump({"model": {"type": "PPHumanSegLite"}, **sections}))
    return path


@pytest.mark.parametrize(
    ("scheme", "target"), [("weights", "onnx_int8_weights"), ("fp16", "onnx_fp16"), ("nncf", "onnx_int8")]
)
def test_the_command_adds_a_target_that_the_predictor_runs(exported, config, photo, tmp_path, scheme, target, capsys):
    if scheme == "nncf":
        pytest.importorskip("nncf", reason="the extra quantise is not installed")
    command = ["--model_dir", str(exported), "--config", str(config), "--scheme", scheme]
    command += ["--draws", "1", "--max_miou_drop", "30", "--save_dir", str(tmp_path / "copy")]
    before = sorted(path.name for path in exported.iterdir())
    assert main(command) == 0
    assert "points of mIoU" in capsys.readouterr().out
    assert sorted(path.name for path in exported.iterdir()) == before
    report = json.loads((tmp_path / "copy" / target / "quantisation.json").read_text())
    assert report["scheme"] == scheme and len(report["miou_drop_points"]["of_draws"]) == 1
    parity = json.loads((tmp_path / "copy" / "parity.json").read_text())["targets"]
    assert parity[target]["passed"] is True and set(parity) == {"onnx", target}
    answers = [Predictor.load(tmp_path / "copy", name)(photo) for name in ("onnx", target)]
    assert 0 < np.abs(answers[0] - answers[1]).max() < 0.2
    assert Predictor.load(tmp_path / "copy").backend_name == "onnx"  # auto does not lower the precision


def test_a_network_trained_for_int8_is_proved_against_itself(exported, config, photo, tmp_path, inputs):
    network = encoder()
    round_layers(network, layers_to_round(network, ["aux_head"]))
    calibrate(network, [paddle.to_tensor(np.concatenate(inputs))])
    sets = [
        DATASETS.build_node(load_config(str(config)).component(section)) for section in ("train_dataset", "val_dataset")
    ]
    request = Request(exported, tmp_path / "copy", "learned", *sets, max_miou_drop=50, keep_float=(), network=network)
    assert quantise(request).int8_share == 1.0
    proof = json.loads((tmp_path / "copy" / "parity.json").read_text())["targets"]["onnx_int8"]
    assert proof["passed"] and proof["mean_abs_diff"] < 1e-4
    assert Predictor.load(tmp_path / "copy", "onnx_int8")(photo).shape == photo.shape[:2]


def test_a_graph_rewritten_for_speed_is_quantised_from_its_network(config, tmp_path, capsys):
    network = encoder()
    folder = export_model(network, TRANSFORMS, tmp_path / "quick", ("onnx",), "sigmoid").save_dir
    assert json.loads((folder / "parity.json").read_text())["targets"]["onnx"]["rewrites"]
    assert main(["--model_dir", str(folder), "--config", str(config), "--scheme", "minmax", "--draws", "1"]) == 2
    assert "rewritten for speed" in (told := capsys.readouterr().err) and "--rewrites off" in told
    sets = [
        DATASETS.build_node(load_config(str(config)).component(section)) for section in ("train_dataset", "val_dataset")
    ]
    request = Request(folder, folder, "minmax", *sets, draws=1, max_miou_drop=50, keep_float=(), network=network)
    assert quantise(request).int8_share == 1.0
    assert json.loads((folder / "parity.json").read_text())["targets"]["onnx_int8"]["passed"]


@pytest.mark.parametrize("form", [{"normalise_in_graph": True}, {"pad_input_channels": 4}])
@pytest.mark.parametrize("scheme", ["minmax", "learned"])
def test_a_quantised_graph_takes_and_gives_what_the_exported_one_does(scheme, form, config, photo, tmp_path, inputs):
    network = encoder()
    options = ExportOptions("sigmoid", **form)
    folder = export_model(network, TRANSFORMS, tmp_path / "quick", ("onnx",), options=options).save_dir
    if scheme == "learned":
        round_layers(network, layers_to_round(network, ["aux_head"]))
        calibrate(network, [paddle.to_tensor(np.concatenate(inputs))])
    sets = [
        DATASETS.build_node(load_config(str(config)).component(section)) for section in ("train_dataset", "val_dataset")
    ]
    request = Request(folder, folder, scheme, *sets, draws=1, max_miou_drop=50, keep_float=(), network=network)
    quantise(request)
    assert json.loads((folder / "parity.json").read_text())["targets"]["onnx_int8"]["passed"]
    answers = [Predictor.load(folder, name)(photo) for name in ("onnx", "onnx_int8")]
    assert np.abs(answers[0] - answers[1]).max() < 0.2


def test_what_is_not_good_enough_leaves_nothing_and_exits_2(exported, config, capsys):
    before = {path: path.read_bytes() for path in exported.rglob("*") if path.is_file()}
    command = ["--model_dir", str(exported), "--config", str(config), "--scheme", "minmax", "--draws", "1"]
    assert main([*command, "--max_miou_drop", "-50"]) == 2
    message = capsys.readouterr().err
    assert "allowed are -50" in message and "The layers that hurt most" in message
    assert {path: path.read_bytes() for path in exported.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--scheme", "minmx"], "Did you mean 'minmax'?"),
        (["--scheme", "learned"], "--model_path CHECKPOINT"),
        (["--keep_float", "Conv.99", "--scheme", "minmax"], "no convolution of that name"),
        (["--draws", "0"], "1 or more"),
    ],
)
def test_mistakes_are_named(exported, config, capsys, change, message):
    assert main(["--model_dir", str(exported), "--config", str(config), "--draws", "1", *change]) == 2
    assert message in capsys.readouterr().err


def test_photos_kept_for_judging_do_not_calibrate(exported, tmp_path, config, capsys):
    root = Path(__file__).resolve().parents[2] / "data" / "picsart"
    if not (root / "val.txt").is_file():
        pytest.skip("the photos of data/picsart are not here")
    line = (root / "val.txt").read_text().splitlines()[0]
    (tmp_path / "train.txt").write_text(" ".join(str(root / name) for name in line.split()) + "\n")
    assert main(["--model_dir", str(exported), "--config", str(config), "--scheme", "minmax"]) == 2
    assert "must not be ones that models are judged on" in capsys.readouterr().err
