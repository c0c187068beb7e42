"""``tools/val.py`` from its command line, on a small data set of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import paddle
import pytest
from sklearn.metrics import jaccard_score

from paddle_portrait.cli.val import main
from paddle_portrait.engine.inferring import person_probability
from paddle_portrait.models import PPHumanSegLite
from paddle_portrait.preprocess.pipeline import Preprocess

CONFIG = """
model: {{type: PPHumanSegLite, num_classes: 2}}
val_dataset:
  type: Dataset
  mode: val
  dataset_root: {root}
  val_path: {root}/val.txt
  transforms: &plain
    - {{type: Resize, target_size: [64, 32]}}
    - {{type: Normalize}}
test_dataset:
  type: Dataset
  mode: test
  dataset_root: {root}
  test_path: {root}/test.txt
  final: true
{more}
"""
SIZES = [(40, 60), (80, 50), (33, 47), (64, 64), (50, 50)]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    paddle.seed(3)
    folder = tmp_path_factory.mktemp("run") / "best_model"
    folder.mkdir()
    paddle.save(PPHumanSegLite(num_classes=2).state_dict(), str(folder / "model.pdparams"))
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], Path]:
    rng = np.random.default_rng(1)
    lines = []
    for number, (height, width) in enumerate(SIZES):
        image = cv2.GaussianBlur(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), (0, 0), 4)
        image = cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX)
        mask = np.zeros((height, width), np.uint8)
        cv2.ellipse(mask, (width // 2, height // 2), (width // 4, height // 3), 0, 0, 360, 255, -1)
        cv2.imwrite(str(tmp_path / f"a {number}.png"), image)
        cv2.imwrite(str(tmp_path / f"a {number} mask.png"), mask)
        lines.append(f"a {number}.png a {number} mask.png")
    (tmp_path / "val.txt").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "test.txt").write_text("\n".join(lines[:2]), encoding="utf-8")

    def write(more: str = "") -> Path:
        path = tmp_path / "net.yml"
        path.write_text(CONFIG.format(root=tmp_path.as_posix(), more=more), encoding="utf-8")
        return path

    return write


def judge(config: Path, weights: Path, save_dir: Path, *flags: str) -> dict:
    command = ["--config", str(config), "--model_path", str(weights), "--save_dir", str(save_dir), *flags]
    assert main(command) == 0
    return json.loads((save_dir / "report.json").read_text(encoding="utf-8"))


def test_report_of_a_split(
    config: Callable[[str], Path], weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = judge(config(""), weights, tmp_path / "out")
    answers, truths = [], []
    model = PPHumanSegLite(num_classes=2)
    model.set_state_dict(paddle.load(str(weights / "model.pdparams")))
    preprocess = Preprocess.from_transforms([{"type": "Resize", "target_size": [64, 32]}, {"type": "Normalize"}])
    for number in range(len(SIZES)):
        image = cv2.imread(str(tmp_path / f"a {number}.png"))[..., ::-1].copy()
        tensor, _ = preprocess(image)
        probability = person_probability(model, paddle.to_tensor(tensor))[0]
        answers.append(cv2.resize(probability, image.shape[1::-1]).ravel() >= 0.5)
        truths.append(cv2.imread(str(tmp_path / f"a {number} mask.png"), cv2.IMREAD_GRAYSCALE).ravel() > 0)
    assert found["person_iou"] == pytest.approx(
        jaccard_score(np.concatenate(truths), np.concatenate(answers)), abs=2e-3
    )
    assert found["images"] == len(found["rows"]) == len(SIZES)
    assert Path(found["rows"][3]["path"]).name == "a 3.png"
    printed = capsys.readouterr().out
    assert f"{found['miou']:.4f}" in printed
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 4 * len(SIZES)
    assert not (weights / "MODEL_CARD.md").exists()


def test_the_same_twice_and_for_every_batch_and_worker(
    config: Callable[[str], Path], weights: Path, tmp_path: Path
) -> None:
    first = judge(config(""), weights, tmp_path / "1", "--gallery", "0")
    again = judge(config(""), weights, tmp_path / "2", "--gallery", "0")
    assert first["rows"] == again["rows"]
    other = judge(config(""), weights, tmp_path / "3", "--gallery", "0", "--batch_size", "5", "--num_workers", "2")
    for row, same in zip(first["rows"], other["rows"], strict=True):
        assert row["mae"] == pytest.approx(same["mae"], abs=1e-5)


def test_flags_change_the_answer_and_overrule_test_config(
    config: Callable[[str], Path], weights: Path, tmp_path: Path
) -> None:
    plain = judge(config(""), weights, tmp_path / "1", "--gallery", "0")
    flipped = judge(config(""), weights, tmp_path / "2", "--aug_eval", "--flip_horizontal", "--scales", "1.0", "1.5")
    slid = judge(config(""), weights, tmp_path / "3", "--is_slide", "--crop_size", "32", "32", "--stride", "16", "16")
    assert len({plain["mae"], flipped["mae"], slid["mae"]}) == 3
    by_config = "test_config: {aug_eval: true, flip_horizontal: true, scales: [1.0, 1.5]}"
    assert judge(config(by_config), weights, tmp_path / "4")["mae"] == flipped["mae"]
    by_flag = judge(config(by_config), weights, tmp_path / "5", "--scales", "1.0")
    assert by_flag["mae"] not in (plain["mae"], flipped["mae"])
    assert "flip_horizontal True" in by_flag["about"]["network_run"]


def test_final_split_is_looked_at_only_with_final_and_recorded(
    config: Callable[[str], Path], weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config("")
    assert main(["--config", str(path), "--model_path", str(weights), "--split", "test"]) == 2
    assert "--final" in capsys.readouterr().err
    root = tmp_path.as_posix()
    detour = ["--opts", f"val_dataset.val_path={root}/test.txt"]
    assert main(["--config", str(path), "--model_path", str(weights), *detour]) == 2
    assert "val_dataset is a final split" in capsys.readouterr().err
    found = judge(path, weights, tmp_path / "out", "--final")
    assert found["images"] == 2
    card = weights / "MODEL_CARD.md"
    looks = [line for line in card.read_text(encoding="utf-8").splitlines() if line.startswith("- ")]
    card.unlink()
    assert len(looks) == 1
    assert f"mIoU {found['miou']:.4f}" in looks[0]
    assert found["date"] in looks[0]
    assert "A final look" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_sequences_get_figures_of_flicker(config: Callable[[str], Path], weights: Path, tmp_path: Path) -> None:
    path = config("")
    frames = [cv2.imread(str(tmp_path / "a 3.png"))] * 3
    for number, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"f{number}.png"), frame)
    lines = [f"f{number}.png a 3 mask.png" for number in range(3)]
    (tmp_path / "val.txt").write_text("\n".join(lines), encoding="utf-8")
    found = judge(path, weights, tmp_path / "out", "--sequence", "--batch_size", "1")
    assert found["frame_pairs"] == 2
    assert found["warping_error"] == found["mask_instability"] == found["dtssd"] == 0
    assert "warping_error" not in found["rows"][0]  # the first frame has no value
    assert "warping_error" in found["rows"][1]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model_path", ""], "no weights at"),
        (["--model_path", "nowhere/best_model"], "no weights at"),
        (["--split", "val", "--final"], "marks test_dataset as final, not val_dataset"),
        (["--scales", "0.5"], "without aug_eval"),
        (["--crop_size", "8", "8"], "without is_slide"),
        (["--batch_size", "0"], "--batch_size must be 1 or more"),
        (["--device", "gpu:7"], "gpu"),
    ],
)
def test_mistakes_are_named(
    config: Callable[[str], Path],
    weights: Path,
    flags: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--config", str(config("")), "--model_path", str(weights), *flags]) == 2
    assert message in capsys.readouterr().err


def test_no_weights_are_no_random_weights(config: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(config(""))]) == 2
    assert "--model_path is missing" in capsys.readouterr().err


def test_weights_of_another_network_are_refused(
    config: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paddle.save({"backbone.conv.weight": paddle.zeros([3])}, str(tmp_path / "other.pdparams"))
    assert main(["--config", str(config("")), "--model_path", str(tmp_path / "other.pdparams")]) == 2
    assert "none of their 1 keys" in capsys.readouterr().err
