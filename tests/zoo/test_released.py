"""Released models: the table, sums on load, zoo names in every tool, and the answers that must not change."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import paddle
import pytest

from paddle_portrait import zoo
from paddle_portrait.cli import export as export_tool
from paddle_portrait.cli import predict as predict_tool
from paddle_portrait.cli import train as train_tool
from paddle_portrait.cli import val as val_tool
from paddle_portrait.config import load_config
from paddle_portrait.convert.release import COMPRESSED_FROM
from paddle_portrait.data.synthesis import render_portrait
from paddle_portrait.engine.trained import TrainedPredictor, input_channels, load_trained
from paddle_portrait.errors import UserError
from paddle_portrait.export.golden import answers, decode_vector
from paddle_portrait.export.release import LARGEST_FILE, ReleasePlan, plan_of, release
from paddle_portrait.inference import Predictor
from paddle_portrait.preprocess import Preprocess, write_image
from paddle_portrait.registry import MODELS
from paddle_portrait.zoo.released import TABLE, read_table

ROOT = Path(__file__).resolve().parents[2]
NAME = "tiny"
CONFIG = """\
model: {type: PPHumanSegLite, pretrained: tiny}
val_dataset:
  type: Dataset
  mode: val
  dataset_root: portraits
  val_path: portraits/list.txt
  transforms: &plain [{type: Resize, target_size: [64, 64]}, {type: Normalize}]
train_dataset:
  type: Dataset
  mode: train
  dataset_root: portraits
  train_path: portraits/list.txt
  transforms: *plain
batch_size: 2
iters: 1
optimizer: {type: AdamW}
lr_scheduler: {type: CosineAnnealingDecay, learning_rate: 1.0e-9}
objective: [{type: CrossEntropyLoss}]
"""


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a repository in which a small network with random weights is released under a zoo name."""
    pytest.importorskip("paddle2onnx")
    root = tmp_path_factory.mktemp("repository")
    folder = root / "pretrained_model" / NAME
    folder.mkdir(parents=True)
    paddle.seed(3)
    network = MODELS.build("PPHumanSegLite")
    rng = np.random.default_rng(3)
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    # As a file of float16 would hold them, so that storing them so loses nothing.
    state = {name: array.astype(np.float16).astype(np.float32) for name, array in state.items()}
    last = "depthwise_separable2.piontwise_conv._batch_norm"
    state[f"{last}.weight"] = rng.uniform(1, 2, 2).astype(np.float32)
    paddle.save(state, str(folder / "model.pdparams"))
    (folder / "LICENSE").write_text("the licence", encoding="utf-8")
    (root / "config.yml").write_text(CONFIG, encoding="utf-8")
    for index in range(2):
        image, mask = render_portrait(index, (64, 64))[:2]
        write_image(root / f"portraits/{index}.png", image)
        write_image(root / f"portraits/{index}_mask.png", np.asarray(mask > 0.5, np.uint8))
    (root / "portraits/list.txt").write_text("0.png 0_mask.png\n1.png 1_mask.png\n", encoding="utf-8")
    plan = ReleasePlan(NAME, "config.yml", "MIT", "trained for this test", ("paddle", "onnx"), "softmax")
    release(plan, root, root / "released.json")
    return root


@pytest.fixture
def repository(stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a copy of the stand-in that this package takes for its own, as the working directory."""
    root = tmp_path / "repository"
    shutil.copytree(stand_in, root)
    table = read_table(root / "released.json")
    monkeypatch.setattr(zoo, "_ROOT", root)
    monkeypatch.setattr(zoo, "released", lambda: table)
    monkeypatch.chdir(root)
    return root


def test_the_table_says_what_was_released(repository: Path) -> None:
    entry = read_table(repository / "released.json")[NAME]
    assert (entry.config, entry.licence, entry.output_op) == ("config.yml", "MIT", "softmax")
    assert entry.weights.bytes == (repository / "pretrained_model/tiny/model.pdparams").stat().st_size
    files = {"LICENSE", "deploy.yaml", "model.json", "model.pdiparams", "onnx/model.onnx", "parity.json"}
    assert set(entry.export) == files


def test_what_float16_holds_is_stored_so_and_computes_the_same(repository: Path) -> None:
    import onnx

    graph = onnx.load(str(repository / "export_model/tiny/onnx/model.onnx")).graph
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    assert any(values.dtype == np.float16 for values in stored.values())
    whole = [values for values in stored.values() if values.dtype == np.float32 and values.size > 64]
    assert all((values != values.astype(np.float16)).any() for values in whole)
    parity = json.loads((repository / "export_model/tiny/parity.json").read_text(encoding="utf-8"))
    assert all(parity["targets"][name]["passed"] for name in ("paddle", "onnx"))
    assert parity["targets"]["onnx"]["max_abs_diff"] <= 1e-4 and parity["targets"]["onnx"]["rewrites"]


def test_the_golden_answer_is_that_of_export_and_weights(repository: Path) -> None:
    golden = json.loads((repository / "tests/golden/tiny.json").read_text(encoding="utf-8"))
    expected = np.asarray(golden["probabilities"])
    assert expected.shape == (3, 16, 16) and np.ptp(expected) > 0.01
    np.testing.assert_allclose(answers(Predictor.load(NAME)), expected, atol=1e-4)
    config = load_config("config.yml")
    predictor = TrainedPredictor(load_trained(config, NAME), Preprocess.from_transforms(config.inference_transforms()))
    np.testing.assert_allclose(answers(predictor), expected, atol=2e-4)


@pytest.mark.parametrize(
    ("file", "use"),
    [
        ("pretrained_model/tiny/model.pdparams", lambda: zoo.find_weights(NAME)),
        ("export_model/tiny/deploy.yaml", lambda: Predictor.load(NAME)),
        ("export_model/tiny/onnx/model.onnx", lambda: Predictor.load(NAME)),
    ],
)
@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_damaged_files_are_named(repository: Path, file: str, use: object, damage: str) -> None:
    path = repository / file
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-1] if damage == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match=path.name):
        use()  # type: ignore[operator]


def test_every_tool_takes_the_name(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = str(repository / "portraits/0.png")
    assert predict_tool.main(["--image_path", image, "--model", NAME, "--save_dir", "by_export"]) == 0
    assert predict_tool.main(["--image_path", image, "--model_path", NAME, "--save_dir", "by_weights"]) == 0
    assert val_tool.main(["--model_path", NAME, "--save_dir", "judged", "--device", "cpu"]) == 0
    assert json.loads(Path("judged/report.json").read_text(encoding="utf-8"))["images"] == 2
    assert export_tool.main(["--model_path", NAME, "--save_dir", "exported", "--format", "onnx"]) == 0
    assert Predictor.load("exported").output_op == "argmax"


@pytest.mark.parametrize("arguments", [["--config", "config.yml"], ["--model_path", NAME]])
def test_training_starts_from_the_name(repository: Path, arguments: list[str]) -> None:
    assert train_tool.main([*arguments, "--save_dir", "run", "--device", "cpu"]) == 0
    (checkpoint,) = repository.glob("run/iter_1/model.pdparams")
    trained = load_trained(load_config("config.yml"), str(checkpoint)).state_dict()
    released = load_trained(load_config("config.yml"), NAME).state_dict()
    for name, value in released.items():
        if "_mean" not in name and "_variance" not in name:  # one step, at a rate of next to nothing
            np.testing.assert_allclose(trained[name].numpy(), value.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model_path", "run/model.pdparams"], "--model_path needs --config"),
        ([], "--config is missing"),
        (["--model_path", "lite"], "--model_path needs --config"),
        (["--config", "config.yml", "--model_path", "lite"], "not released yet"),
    ],
)
def test_what_is_missing_is_said(
    repository: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert val_tool.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_plans_come_from_recipes() -> None:
    plan = plan_of("sinet_320")
    assert plan.config.endswith("sinet_320.yml") and plan.licence == "MIT" and plan.source.startswith("https://")
    with pytest.raises(UserError, match="--config and --licence and --source"):
        plan_of("tiny")
    with pytest.raises(UserError, match="unknown zoo name"):
        release(ReleasePlan("huge", "c.yml", "MIT", "x"), ROOT)


def test_a_damaged_table_is_a_users_error(tmp_path: Path) -> None:
    assert read_table(tmp_path / "none.json") == {}
    for text in ("{", "[]", '{"version": 2, "models": {}}', '{"version": 1, "models": {"tiny": {}}}'):
        (tmp_path / "table.json").write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match="damaged"):
            read_table(tmp_path / "table.json")


RELEASED = sorted(read_table())


@pytest.mark.parametrize("name", RELEASED)
def test_released_models_answer_as_they_did(name: str) -> None:
    golden = json.loads((ROOT / "tests/golden" / f"{name}.json").read_text(encoding="utf-8"))
    entry = read_table()[name]
    assert golden["weights_sha256"] == entry.weights.sha256
    expected = np.asarray(golden["probabilities"])
    if entry.export:
        np.testing.assert_allclose(answers(Predictor.load(name, threads=1)), expected, atol=1e-3)
    config = load_config(ROOT / entry.config)
    network = load_trained(config, name)
    preprocess = Preprocess.from_transforms(config.inference_transforms())
    found = TrainedPredictor(network, preprocess, channels=input_channels(config, preprocess))
    np.testing.assert_allclose(answers(found), expected, atol=1e-3)
    image, probability = decode_vector(golden)
    np.testing.assert_allclose(found(image), probability, atol=golden["vector"]["tolerance"])
    tensor = Preprocess.from_dict(golden["preprocess"])(image)[0]
    assert list(tensor.shape) == golden["vector"]["tensor_shape"]
    for place, value in golden["vector"]["tensor_samples"]:
        assert tensor.flat[place] == pytest.approx(value, abs=1e-5)


@pytest.mark.skipif(not TABLE.is_file(), reason="nothing is released")
def test_released_files_are_in_the_repository_and_small() -> None:
    for name in RELEASED:
        entry = read_table()[name]
        files = {f"pretrained_model/{name}/model.pdparams": entry.weights}
        files |= {f"export_model/{name}/{path}": file for path, file in entry.export.items()}
        for path, file in files.items():
            ignored = subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode == 0
            assert not ignored, f"{path}: .gitignore keeps it out"
            assert file.bytes <= LARGEST_FILE, path


def test_the_page_says_from_which_size_files_are_compressed() -> None:
    page = (ROOT / "pretrained_model/README.md").read_text(encoding="utf-8")
    assert f"over {COMPRESSED_FROM / 1e6:g} MB is compressed" in page
