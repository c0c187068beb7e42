"""Persons before other backgrounds and beside each other."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from paddle_portrait.data import BatchLoader
from paddle_portrait.data.datasets import Dataset
from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms import Normalize, RandomBackground, RandomSecondPerson, Resize
from paddle_portrait.data.transforms.compositing import cut_out, foreground_colours, label_over
from paddle_portrait.errors import UserError

GREEN, BLUE = (0, 255, 0), (0, 0, 255)


@pytest.fixture
def blue(tmp_path: Path) -> str:
    folder = tmp_path / "rooms"
    folder.mkdir()
    Image.new("RGB", (160, 90), BLUE).save(folder / "blue.png")
    return str(folder)


def red_person(size: tuple[int, int] = (120, 90), soft: bool = False, centre: float = 0.5) -> Sample:
    """A red bust on green, cut off by the lower edge; its edge pixels are mixtures, as a camera makes them."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    distance = np.hypot((y - size[0] * 0.95) / 1.6, x - size[1] * centre)
    alpha = np.clip(size[1] * 0.25 - distance + 0.5, 0, 1).astype(np.float32)
    image = alpha[..., None] * np.array([255, 0, 0]) + (1 - alpha[..., None]) * np.array(GREEN)
    label = alpha if soft else (alpha > 0.5).astype(np.uint8)
    return Sample(np.rint(image).astype(np.uint8), label)


@pytest.mark.parametrize("soft", [False, True])
def test_no_fringe_of_the_old_background_is_left(blue: str, soft: bool) -> None:
    compose = RandomBackground(1.0, blue, landscape_prob=0, scale_range=[1, 1], light_match=0)
    sample = red_person(soft=soft)
    result = compose(sample, np.random.default_rng(0))
    pasted = np.where(np.asarray(sample.label)[..., None] > 0.5, sample.image, BLUE)
    assert result.image[..., 1].max() < 30 < pasted[..., 1].max()  # cutting along the label alone leaves green
    person = np.asarray(result.label) > 0.5
    assert np.mean((result.image[..., 0] > 127) == person) > 0.995


def test_the_surely_visible_keeps_its_colours() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (60, 50, 3), dtype=np.uint8)
    alpha = np.zeros((60, 50), np.float32)
    alpha[20:, 10:40] = 1
    colours = foreground_colours(image, alpha, is_matte=True)
    assert np.array_equal(colours[alpha == 1], image[alpha == 1])


def test_frames_become_wide_and_the_person_stays_at_the_lower_edge(blue: str) -> None:
    compose = RandomBackground(1.0, blue, landscape_prob=1, scale_range=[0.5, 0.8], light_match=0)
    centres = []
    for seed in range(30):
        result = compose(red_person(), np.random.default_rng(seed))
        assert result.image.shape == (120, round(120 * 16 / 9), 3) and result.label is not None
        columns = np.flatnonzero(result.label[-1])
        assert len(columns) and 0.4 < len(columns) / (90 * 0.5) < 0.95
        assert np.flatnonzero(result.label.any(axis=1)).min() > 30
        centres.append(columns.mean() / result.label.shape[1])
    assert abs(np.mean(centres) - 0.5) < 0.08 and np.std(centres) > 0.03


@pytest.mark.parametrize(("centre", "column"), [(0.0, 0), (1.0, -1)])
def test_a_person_cut_off_at_a_side_stays_at_that_side(blue: str, centre: float, column: int) -> None:
    compose = RandomBackground(1.0, blue, landscape_prob=1, light_match=0)
    for seed in range(8):
        result = compose(red_person(centre=centre), np.random.default_rng(seed))
        assert result.label is not None and result.label[:, column].any() and not result.label[:, -1 - column].any()


def test_a_person_cut_off_at_both_sides_keeps_the_frame(blue: str) -> None:
    sample = Sample(np.full((40, 30, 3), 99, np.uint8), np.ones((40, 30), np.uint8))
    result = RandomBackground(1.0, blue, landscape_prob=1)(sample, np.random.default_rng(0))
    assert result.size_hw == (40, 30) and np.all(result.label == 1)


@pytest.mark.parametrize("soft", [False, True])
def test_empty_rooms_are_labelled_empty(blue: str, soft: bool) -> None:
    sample = red_person(soft=soft)
    result = RandomBackground(0, blue, empty_prob=1)(sample, np.random.default_rng(0))
    assert np.all(result.image == BLUE) and not np.any(result.label)
    assert result.label is not None and sample.label is not None and result.label.dtype == sample.label.dtype


def test_light_matching_brings_mean_and_deviation_nearer() -> None:
    rng = np.random.default_rng(0)
    person = cut_out(Sample(rng.integers(150, 250, (50, 50, 3), dtype=np.uint8), np.ones((50, 50), np.uint8)), "test")
    room = rng.integers(20, 90, (50, 50, 3), dtype=np.uint8)
    matched = {share: person.lit_like(room, share).colours for share in (0.0, 0.5, 1.0)}
    assert matched[0.0] is person.colours

    def figures(picture: np.ndarray) -> np.ndarray:
        return np.ravel(cv2.meanStdDev(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)))

    start, end = figures(person.colours), figures(room)
    assert np.abs(figures(matched[1.0]) - end).max() < 4
    assert abs(figures(matched[0.5])[0] - (start + end)[0] / 2) < 4


def test_generated_rooms_need_no_folder() -> None:
    compose = RandomBackground(1.0, landscape_prob=1)
    first, again, other = (compose(red_person(), np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first.image, again.image) and not np.array_equal(first.image, other.image)
    ground = first.image[np.asarray(first.label) == 0]
    assert ground.std() > 1


def test_priors_move_along(blue: str) -> None:
    sample = red_person()
    sample = replace(sample, prior=np.asarray(sample.label) * np.uint8(255))
    result = RandomBackground(1.0, blue, landscape_prob=1, scale_range=[0.5, 0.5])(sample, np.random.default_rng(1))
    assert result.prior is not None
    both, either = (np.sum(op(result.prior > 127, result.label == 1)) for op in (np.logical_and, np.logical_or))
    assert both / either > 0.95


def test_labels_laid_over_each_other_by_hand() -> None:
    top, bottom = np.array([[0, 1, 255, 0]], np.uint8), np.array([[1, 0, 1, 255]], np.uint8)
    assert label_over(top, bottom).tolist() == [[1, 1, 255, 255]]
    soft = label_over(np.array([[0.5, 1, 0.5, 0]], np.float32), np.array([[0.5, 255, 255, 0.3]], np.float32))
    assert np.allclose(soft, [[0.75, 1, 255, 0.3]]) and soft.dtype == np.float32


def test_second_person_is_labelled_and_seen() -> None:
    sample = replace(red_person((120, 160), centre=0.3), another=lambda rng: red_person((60, 50)))
    areas, seen = [], []
    for seed in range(20):
        result = RandomSecondPerson(1.0, light_match=0)(sample, np.random.default_rng(seed))
        assert result.label is not None and result.size_hw == (120, 160) and set(np.unique(result.label)) == {0, 1}
        areas.append(int(result.label.sum()) - int(np.sum(sample.label)))  # type: ignore[arg-type]
        seen.append(np.mean((result.image[..., 0] > 127) == (result.label == 1)))
    assert min(areas) >= -20 and max(areas) > 1000 and min(seen) > 0.99


def test_second_person_needs_a_data_set() -> None:
    with pytest.raises(UserError, match="needs other samples of the data set"):
        RandomSecondPerson(1.0)(red_person(), np.random.default_rng(0))


def portraits(root: Path, transforms: list, count: int) -> Dataset:
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(np.full((20, 16, 3), number * 20, np.uint8)).save(root / f"images/{number}.png")
        Image.fromarray(np.ones((20, 16), np.uint8)).save(root / f"masks/{number}.png")
    (root / "list.txt").write_text("".join(f"images/{k}.png masks/{k}.png\n" for k in range(count)))
    return Dataset(transforms, dataset_root=str(root), train_path=str(root / "list.txt"))


class Ask(Resize):
    """Remembers which other samples it was given."""

    def __init__(self) -> None:
        super().__init__([16, 20])
        self.given: list[tuple[int, int]] = []

    random = True

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        assert sample.another is not None
        self.given.append((sample.index, sample.another(rng).index))
        return sample


def test_other_samples_are_others_and_the_same_for_a_seed(tmp_path: Path) -> None:
    given = []
    for start, workers in ((0, 0), (0, 0), (4, 2)):
        ask = Ask()
        with BatchLoader(portraits(tmp_path, [ask, Normalize()], 6), 3, 7, workers, start_iteration=start) as loader:
            list(islice(loader, 8 - start))
        given.append(ask.given)
    assert given[0][:24] == given[1][:24] and all(own != other for own, other in given[0])
    assert set(given[0][12:24]) <= set(given[2])
    assert {other for _, other in given[0]} == set(range(6))


def test_a_data_set_of_one_gives_itself(tmp_path: Path) -> None:
    ask = Ask()
    portraits(tmp_path, [ask, Normalize()], 1).sample(0, np.random.default_rng(0))
    assert ask.given == [(0, 0)]


def test_batches_do_not_keep_the_data_set_alive(tmp_path: Path) -> None:
    assert portraits(tmp_path, [Ask(), Normalize()], 2).sample(0, np.random.default_rng(0)).another is None


WRONG: list[tuple[type, dict[str, Any], str]] = [
    (RandomBackground, {"scale_range": [0.5, 1.5]}, "scale_range must be a list [lowest, highest] within 0.05 to 1"),
    (RandomBackground, {"aspect_ratio": 0}, "aspect_ratio"),
    (RandomBackground, {"empty_prob": -0.1}, "empty_prob"),
    (RandomBackground, {"light_match": 2}, "light_match"),
    (RandomSecondPerson, {"scale_range": 1}, "scale_range must be a list"),
    (RandomSecondPerson, {"behind_prob": "no"}, "behind_prob"),
]


@pytest.mark.parametrize(("kind", "arguments", "words"), WRONG)
def test_wrong_arguments_of_compositing(kind: type, arguments: dict, words: str) -> None:
    with pytest.raises(UserError) as caught:
        kind(**arguments)
    assert words in str(caught.value) and kind.__name__ in str(caught.value)


def test_a_folder_without_backgrounds_is_named(tmp_path: Path) -> None:
    """When it is used, so that a config can be checked where the photos are not."""
    for folder, words in ((tmp_path, "holds no photo"), (tmp_path / "nowhere", "nowhere' does not exist")):
        compose = RandomBackground(1.0, str(folder))
        with pytest.raises(UserError, match=words):
            compose(red_person(), np.random.default_rng(0))
