"""The evaluator: judged at the label's own size, whatever the batch, the workers and the number of processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import paddle
import pytest
from sklearn.metrics import jaccard_score

from paddle_portrait.data.datasets import Dataset
from paddle_portrait.engine.evaluator import EvalReport, evaluate, worst_first
from paddle_portrait.engine.inferring import PredictOptions, class_probabilities, eval_mode, person_probability
from paddle_portrait.errors import UserError

SIZES = [(40, 30), (64, 48), (33, 57), (48, 64), (20, 20)]
NORMALIZE = {"type": "Normalize", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
RESIZE = {"type": "Resize", "target_size": [32, 24]}


class BrightIsPerson(paddle.nn.Layer):
    """A network whose answer is known: bright red channel means person."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.norm = paddle.nn.BatchNorm2D(3)
        self.frozen = paddle.nn.Dropout(0.9)
        self.frozen.eval()
        self.classes = classes

    def forward(self, images: paddle.Tensor) -> list[paddle.Tensor]:
        red = 3.0 * self.frozen(images)[:, :1] + 0.0 * self.norm(images)[:, :1]
        if self.classes == 1:
            return [2 * red]
        return [paddle.concat([-red, red, *[red - 50] * (self.classes - 2)], axis=1)]


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Dataset]:
    def make(transforms: list[dict], sizes: list[tuple[int, int]] = SIZES, ignore: bool = False) -> Dataset:
        from paddle_portrait.registry import TRANSFORMS

        rng = np.random.default_rng(0)
        lines = []
        for number, (height, width) in enumerate(sizes):
            image = cv2.GaussianBlur(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), (0, 0), 3)
            image = cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX)
            mask = (np.roll(image[..., 2], 2, axis=1) > 120).astype(np.uint8)
            mask[0, 0], mask[-1, -1] = 1, 0
            if ignore:
                mask[5:9, 5:9] = 255
            cv2.imwrite(str(tmp_path / f"{number}.png"), image)
            cv2.imwrite(str(tmp_path / f"{number}_mask.png"), mask)
            lines.append(f"{number}.png {number}_mask.png")
        (tmp_path / "val.txt").write_text("\n".join(lines), encoding="utf-8")
        return Dataset(
            transforms=[TRANSFORMS.build_node(node) for node in transforms],
            dataset_root=str(tmp_path),
            val_path=str(tmp_path / "val.txt"),
            mode="val",
            mask_format="binary01",
        )

    return make


def by_hand(folder: Path, size_hw: tuple[int, int] | None) -> tuple[np.ndarray, np.ndarray]:
    """Answer and truth of all pixels, computed with OpenCV alone."""
    answers, truths = [], []
    for number in range(len(SIZES)):
        red = cv2.imread(str(folder / f"{number}.png"))[..., 2]
        truth = cv2.imread(str(folder / f"{number}_mask.png"), cv2.IMREAD_GRAYSCALE)
        small = red if size_hw is None else cv2.resize(red, size_hw[::-1])
        prob = 1 / (1 + np.exp(-6 * (small.astype(np.float32) / 255 - 0.5) / 0.5))
        prob = cv2.resize(prob, truth.shape[::-1])
        answers.append(prob[truth != 255] >= 0.5)
        truths.append(truth[truth != 255])
    return np.concatenate(answers), np.concatenate(truths)


@pytest.mark.parametrize("ignore", [False, True])
def test_judged_at_the_labels_own_size(make_dataset: Callable[..., Dataset], tmp_path: Path, ignore: bool) -> None:
    report = evaluate(BrightIsPerson(), make_dataset([RESIZE, NORMALIZE], ignore=ignore), progress=False)
    answer, truth = by_hand(tmp_path, (24, 32))
    assert report.summary["miou"] == pytest.approx(jaccard_score(truth, answer, average="macro"), abs=1e-9)
    assert report.summary["person_iou"] == pytest.approx(jaccard_score(truth, answer), abs=1e-9)
    assert report.summary["images"] == len(SIZES)
    for key in ("person_iou", "boundary_iou"):
        mean = report.summary["person_iou_mean" if key == "person_iou" else key]
        assert mean == pytest.approx(np.mean([row[key] for row in report.rows]))
    assert [Path(row["path"]).name for row in report.rows] == [f"{k}.png" for k in range(len(SIZES))]


def test_without_a_resize_the_answer_is_exact(make_dataset: Callable[..., Dataset], tmp_path: Path) -> None:
    """Images of many sizes in one batch size: they are simply not stacked."""
    report = evaluate(BrightIsPerson(), make_dataset([NORMALIZE]), batch_size=4, progress=False)
    answer, truth = by_hand(tmp_path, None)
    assert report.summary["person_iou"] == pytest.approx(jaccard_score(truth, answer), abs=1e-9)


@pytest.mark.parametrize(("batch_size", "workers"), [(2, 0), (5, 2), (64, 1)])
def test_batch_size_and_workers_change_nothing(
    make_dataset: Callable[..., Dataset], batch_size: int, workers: int
) -> None:
    dataset = make_dataset([RESIZE, NORMALIZE])
    expected = evaluate(BrightIsPerson(), dataset, progress=False)
    found = evaluate(BrightIsPerson(), dataset, batch_size, workers, progress=False)
    assert found.summary == pytest.approx(expected.summary, nan_ok=True)
    assert [row["person_iou"] for row in found.rows] == [row["person_iou"] for row in expected.rows]


@pytest.mark.parametrize("processes", [2, 3, 7])
def test_shares_of_several_processes_join_to_the_whole(make_dataset: Callable[..., Dataset], processes: int) -> None:
    dataset = make_dataset([RESIZE, NORMALIZE])
    whole = evaluate(BrightIsPerson(), dataset, progress=False)
    joined = EvalReport()
    for rank in reversed(range(processes)):  # seven processes: two have nothing to do
        share = evaluate(BrightIsPerson(), dataset, 2, progress=False, rank=rank, world_size=processes)
        joined.merge(share.state_dict())
    assert joined.summary == pytest.approx(whole.summary, nan_ok=True)
    assert [row["path"] for row in joined.rows] == [row["path"] for row in whole.rows]


def test_each_layer_keeps_its_mode_even_after_an_error(make_dataset: Callable[..., Dataset]) -> None:
    model = BrightIsPerson()
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    evaluate(model, make_dataset([RESIZE, NORMALIZE]), progress=False)
    assert (model.training, model.norm.training, model.frozen.training) == (True, True, False)
    with pytest.raises(RuntimeError, match="stop"), eval_mode(model):
        assert not model.norm.training
        raise RuntimeError("stop")
    assert (model.training, model.norm.training, model.frozen.training) == (True, True, False)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])


def test_a_mask_of_another_size_is_named(make_dataset: Callable[..., Dataset], tmp_path: Path) -> None:
    dataset = make_dataset([RESIZE, NORMALIZE])
    cv2.imwrite(str(tmp_path / "3_mask.png"), np.ones((7, 9), np.uint8))
    with pytest.raises(UserError, match=r"3\.png"):
        evaluate(BrightIsPerson(), dataset, progress=False)


def test_probabilities_of_one_two_and_three_classes() -> None:
    images = paddle.to_tensor(np.random.default_rng(0).normal(size=(2, 3, 8, 10)).astype("float32"))
    one, two, three = (class_probabilities(BrightIsPerson(classes), images) for classes in (1, 2, 3))
    assert one.shape == two.shape == (2, 2, 8, 10)
    assert three.shape == (2, 3, 8, 10)
    np.testing.assert_allclose(one, two, atol=1e-6)
    np.testing.assert_allclose(person_probability(BrightIsPerson(3), images), 1 - three[:, 0])
    np.testing.assert_allclose(three.sum(1), 1, atol=1e-6)


class LeftIsPerson(paddle.nn.Layer):
    """Looks at positions, so that flips and windows show: the logit falls from left to right, top to bottom."""

    def forward(self, images: paddle.Tensor) -> paddle.Tensor:
        height, width = images.shape[2:]
        fall = paddle.linspace(2, -2, width).reshape([1, 1, 1, width]) + paddle.linspace(1, -1, height).reshape(
            [1, 1, height, 1]
        )
        person = fall + 0.0 * images[:, :1]
        return paddle.concat([-person, person], axis=1)


def test_flips_average_probabilities_back_in_place() -> None:
    images = paddle.zeros([1, 3, 6, 8])
    plain = person_probability(LeftIsPerson(), images)
    flipped = person_probability(LeftIsPerson(), images, PredictOptions(aug_eval=True, flip_horizontal=True))
    np.testing.assert_allclose(flipped, (plain + plain[:, :, ::-1]) / 2, atol=1e-6)
    both = person_probability(
        LeftIsPerson(), images, PredictOptions(aug_eval=True, flip_horizontal=True, flip_vertical=True)
    )
    four = [plain, plain[:, :, ::-1], plain[:, ::-1], plain[:, ::-1, ::-1]]
    np.testing.assert_allclose(both, np.mean(four, axis=0), atol=1e-6)


def test_scales_average_over_network_sizes() -> None:
    images = paddle.zeros([1, 3, 6, 8])
    found = person_probability(LeftIsPerson(), images, PredictOptions(aug_eval=True, scales=(1.0, 2.0)))
    small = person_probability(LeftIsPerson(), images)
    large = person_probability(LeftIsPerson(), paddle.zeros([1, 3, 12, 16]))
    back = cv2.resize(large[0], (8, 6), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(found[0], (small[0] + back) / 2, atol=1e-5)


@pytest.mark.parametrize(
    ("crop", "stride"), [((4, 4), (4, 4)), ((5, 3), (2, 1)), ((100, 100), (50, 50)), ((7, 3), (4, 2))]
)
def test_sliding_windows_agree_with_plain_loops(crop: tuple[int, int], stride: tuple[int, int]) -> None:
    height, width = 9, 13
    images = paddle.zeros([1, 3, height, width])
    total, count = np.zeros((2, height, width)), np.zeros((height, width))
    crop_w, crop_h = min(crop[0], width), min(crop[1], height)
    tops = sorted({min(y, height - crop_h) for y in range(0, height, stride[1])})
    lefts = sorted({min(x, width - crop_w) for x in range(0, width, stride[0])})
    for top in tops:
        for left in lefts:
            logits = LeftIsPerson()(paddle.zeros([1, 3, crop_h, crop_w])).numpy()[0]
            total[:, top : top + crop_h, left : left + crop_w] += logits
            count[top : top + crop_h, left : left + crop_w] += 1
    mean = total / count
    expected = 1 / (1 + np.exp(mean[0] - mean[1]))
    found = person_probability(LeftIsPerson(), images, PredictOptions(is_slide=True, crop_size=crop, stride=stride))
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scales": [0.5, 1.0]}, "without aug_eval"),
        ({"flip_horizontal": True}, "without aug_eval"),
        ({"crop_size": [8, 8]}, "without is_slide"),
        ({"is_slide": True}, "needs crop_size and stride"),
        ({"is_slide": True, "crop_size": [8, 8], "stride": [9, 4]}, "left out"),
        ({"is_slide": True, "crop_size": [8, 0], "stride": [4, 4]}, "whole numbers above 0"),
        ({"aug_eval": True, "scales": [0.0]}, "above 0"),
        ({"flips": True}, "Allowed: aug_eval"),
    ],
)
def test_options_without_effect_or_sense_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        PredictOptions.from_mapping(options)


def test_worst_first_is_stable_and_puts_nan_last() -> None:
    rows = [{"index": k, "person_iou": v} for k, v in enumerate([0.5, float("nan"), 0.1, 0.5])]
    assert [row["index"] for row in worst_first(rows)] == [2, 0, 3, 1]
