"""What holds for every effect and every refiner in the registries, those of tomorrow included."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from paddle_portrait.effects import (
    EFFECTS,
    REFINERS,
    build_effect,
    build_refiner,
    describe_effects,
    describe_refiners,
    effect_kind,
)
from paddle_portrait.errors import UserError

NAMES, REFINER_NAMES = EFFECTS.names(), REFINERS.names()
SIZES = [(1, 1), (1, 37), (41, 1), (2, 3), (61, 83), (120, 90)]
# Options under which the person is to be seen with her own colours.
OWN_COLORS: dict[str, dict[str, Any]] = {"color_transfer": {"strength": 0}, "harmonize": {"strength": 0}}
# The effects that show neither image nor background where the probability says so, and why.
NO_MASK = {"subtract_background": "does not look at the probability"}
BACKGROUND_CHANGED = {"cutout", "color", "blur", "bokeh", "pixelate"}


def arrays(size_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(size_hw)
    image, background = (rng.integers(0, 256, (*size_hw, 3), dtype=np.uint8) for _ in range(2))
    return image, rng.random(size_hw, dtype=np.float32), background


@pytest.mark.parametrize("size_hw", SIZES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_the_picture_has_the_images_size_and_the_inputs_stay(name: str, size_hw: tuple[int, int]) -> None:
    inputs = arrays(size_hw)
    before = [array.copy() for array in inputs]
    effect = build_effect(name)
    picture = effect(*inputs)
    assert picture.dtype == np.uint8
    assert picture.shape == (*size_hw, effect.kind.channels)
    for array, earlier in zip(inputs, before, strict=True):
        assert np.array_equal(array, earlier)
        assert not np.shares_memory(picture, array)
    assert np.array_equal(picture, effect(*inputs)), "the same inputs gave another picture"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NO_MASK])
def test_a_sure_person_is_seen_as_she_is(name: str) -> None:
    image, person, background = arrays((61, 83))
    effect = build_effect(name, **OWN_COLORS.get(name, {}))
    picture = effect(image, np.ones_like(person), background)[..., :3]
    # Colours that went to CIELAB and back may have moved by a level.
    assert np.abs(picture.astype(int) - image).max() <= (1 if name in OWN_COLORS else 0)


@pytest.mark.parametrize("name", [name for name in NAMES if effect_kind(name).needs_background and name not in NO_MASK])
def test_without_a_person_there_is_the_background(name: str) -> None:
    image, person, background = arrays((61, 83))
    assert np.array_equal(build_effect(name)(image, np.zeros_like(person), background), background)


@pytest.mark.parametrize("name", NAMES)
def test_a_background_is_needed_or_ignored_as_the_table_says(name: str) -> None:
    image, person, background = arrays((30, 20))
    effect = build_effect(name)
    if effect.kind.needs_background:
        with pytest.raises(UserError, match="needs a background"):
            effect(image, person)
        assert effect(image, person, background[:7, :9]).shape == image.shape
    else:
        assert np.array_equal(effect(image, person), effect(image, person, background))


GOOD_IMAGE, GOOD_PERSON = np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.float32)
WRONG: list[tuple[str, Any, Any, Any, str]] = [
    ("float image", GOOD_IMAGE.astype(np.float32), GOOD_PERSON, GOOD_IMAGE, "the image is float32"),
    ("grey image", GOOD_IMAGE[..., 0], GOOD_PERSON, GOOD_IMAGE, "the image is uint8 of shape"),
    ("RGBA image", np.zeros((4, 5, 4), np.uint8), GOOD_PERSON, GOOD_IMAGE, "the image is uint8 of shape"),
    ("empty image", GOOD_IMAGE[:0], GOOD_PERSON[:0], GOOD_IMAGE, "the image is empty"),
    ("no image", None, GOOD_PERSON, GOOD_IMAGE, "the image is NoneType"),
    ("8-bit mask", GOOD_IMAGE, GOOD_PERSON.astype(np.uint8), GOOD_IMAGE, "probability is uint8"),
    ("bool mask", GOOD_IMAGE, GOOD_PERSON > 0, GOOD_IMAGE, "probability is bool"),
    ("other size", GOOD_IMAGE, GOOD_PERSON[:3], GOOD_IMAGE, r"of shape \(4, 5\)"),
    ("with channels", GOOD_IMAGE, GOOD_PERSON[..., None], GOOD_IMAGE, r"of shape \(4, 5\)"),
    ("NaN", GOOD_IMAGE, GOOD_PERSON * np.float32("nan"), GOOD_IMAGE, "NaN"),
]


@pytest.mark.parametrize(
    ("image", "person", "background", "message"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG]
)
@pytest.mark.parametrize("name", NAMES)
def test_wrong_arrays_are_named(name: str, image: Any, person: Any, background: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_effect(name)(image, person, background)


@pytest.mark.parametrize("background", [GOOD_IMAGE[..., 0], GOOD_IMAGE[:0], GOOD_IMAGE / 2, "room.jpg"], ids=str)
@pytest.mark.parametrize("name", [name for name in NAMES if effect_kind(name).needs_background])
def test_wrong_backgrounds_are_named(name: str, background: Any) -> None:
    with pytest.raises(UserError, match="the background is"):
        build_effect(name)(GOOD_IMAGE, GOOD_PERSON, background)


@pytest.mark.parametrize("name", NAMES)
def test_views_and_double_precision_give_the_same_picture(name: str) -> None:
    image, person, background = arrays((61, 83))
    effect = build_effect(name)
    doubled = effect(image[:, ::-1][:, ::-1], person.astype(np.float64), background.copy(order="F"))
    assert np.array_equal(doubled, effect(image, person, background))


@pytest.mark.parametrize("size_hw", SIZES, ids=str)
@pytest.mark.parametrize("name", REFINER_NAMES)
def test_a_refined_probability_is_one_and_the_inputs_stay(name: str, size_hw: tuple[int, int]) -> None:
    image, person, _ = arrays(size_hw)
    before = image.copy(), person.copy()
    refined = build_refiner(name)(image, person)
    assert refined.dtype == np.float32
    assert refined.shape == size_hw
    assert refined.min() >= 0
    assert refined.max() <= 1
    assert np.array_equal(image, before[0])
    assert np.array_equal(person, before[1])
    assert not np.shares_memory(refined, person)


@pytest.mark.parametrize("name", REFINER_NAMES)
@pytest.mark.parametrize("value", [0, 1])
def test_an_answer_that_is_sure_everywhere_stays(name: str, value: int) -> None:
    image, person, _ = arrays((61, 83))
    refined = build_refiner(name)(image, np.full_like(person, value))
    inner = refined[8:-8, 8:-8]  # PP-HumanSeg's erosion may touch the rim
    assert np.allclose(inner, value, atol=1e-5)


def test_values_outside_the_range_are_clipped() -> None:
    image, person, background = arrays((20, 30))
    effect = build_effect("replace")
    wide = person * 3 - 1
    assert np.array_equal(effect(image, wide, background), effect(image, np.clip(wide, 0, 1), background))


def test_refiners_run_before_the_effect_in_their_order() -> None:
    image, person, background = arrays((61, 83))
    steps = [build_refiner("smooth_step", low=0.2), build_refiner("guided")]
    refined = steps[1](image, steps[0](image, person))
    wanted = build_effect("replace")(image, refined, background)
    chain = [{"type": "smooth_step", "low": 0.2}, "guided"]
    assert np.array_equal(build_effect("replace", refine=chain)(image, person, background), wanted)
    assert np.array_equal(build_effect("replace", refine=steps)(image, person, background), wanted)
    as_text = build_effect("replace", refine="smooth_step, guided")
    assert [step.kind.name for step in as_text.refiners] == ["smooth_step", "guided"]


def test_the_tables_can_be_sent_as_json_and_their_defaults_are_allowed() -> None:
    effects, refiners = json.loads(json.dumps(describe_effects())), json.loads(json.dumps(describe_refiners()))
    assert [entry["name"] for entry in effects] == NAMES
    assert [entry["name"] for entry in refiners] == REFINER_NAMES
    for build, entries in ((build_effect, effects), (build_refiner, refiners)):
        for entry in entries:
            assert entry["summary"].endswith(".")
            assert all(option["help"] for option in entry["options"])
            build(entry["name"], **{option["name"]: option["default"] for option in entry["options"]})
