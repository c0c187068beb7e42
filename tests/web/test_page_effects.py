"""A picture on the page: every control changes the pixels it should, and they are those that Python makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from looks import (
    canvas,
    changed,
    choose,
    decode,
    mask,
    opened,
    pick,
    recorded,
    settle,
    shoot,
    shown,
    slide,
    upload,
    wait_until,
    write_film,
)

from paddle_portrait.effects import build_effect
from paddle_portrait.inference import Predictor


@pytest.fixture(scope="module")
def person(site: Path, portrait: np.ndarray) -> np.ndarray:
    """Return what Python says of the portrait."""
    name = json.loads((site / "model" / "golden.json").read_text())["name"]
    return Predictor.load(name, backend="onnx")(portrait)


@pytest.fixture
def studio(page: Any, files: dict[str, Path]) -> Any:
    """Return the page with the portrait on it."""
    upload(page, files["portrait.png"])
    return page


def test_the_welcome_and_the_example(page: Any) -> None:
    assert page.is_visible("#welcome")  # the first test that has the page
    shoot(page, "welcome")
    page.click("#example")
    settle(page)
    shoot(page, "example")
    assert 0.1 < (mask(page) > 127).mean() < 0.8


def test_composites_are_those_of_python(
    studio: Any, files: dict[str, Path], portrait: np.ndarray, person: np.ndarray
) -> None:
    assert np.abs(mask(studio).astype(int) - np.rint(255 * person)).max() <= 1
    choose(studio, "color")
    made = build_effect("color", color="0,177,64")(portrait, person, None)
    assert np.abs(canvas(studio)[..., :3].astype(int) - made).max() <= 3
    shoot(studio, "color")
    choose(studio, "picture")
    shoot(studio, "picture")
    evening = canvas(studio)
    studio.click("#scenes button[aria-label=Mint]")
    settle(studio)
    assert changed(canvas(studio), evening)[person < 0.01].mean() > 0.9
    pick(studio, files["background.png"], lambda: studio.click("#picture-open"))
    studio.wait_for_selector("#scenes button:nth-child(5)[aria-pressed=true]")
    settle(studio)
    background = cv2.imread(str(files["background.png"]))[..., ::-1]
    made = build_effect("replace")(portrait, person, np.ascontiguousarray(background))
    assert np.abs(canvas(studio)[..., :3].astype(int) - made).max() <= 3
    choose(studio, "none")
    assert np.abs(canvas(studio)[..., 3].astype(int) - np.rint(255 * person)).max() <= 1
    shoot(studio, "none")
    choose(studio, "original")
    assert not changed(canvas(studio)[..., :3], portrait, by=2).any()


def test_blur_and_its_strength(studio: Any, portrait: np.ndarray, person: np.ndarray) -> None:
    shoot(studio, "blur")
    made = build_effect("blur", radius=0.03)(portrait, person, None)
    assert np.abs(canvas(studio)[..., :3].astype(float) - made).mean() < 2
    detail = [_detail(canvas(studio), person)]
    slide(studio, "blur", 0.08)
    detail.append(_detail(canvas(studio), person))
    slide(studio, "blur", 0)
    assert not changed(canvas(studio)[..., :3], portrait, by=2).any()
    assert detail[1] < 0.8 * detail[0] < 0.5 * _detail(portrait, person)


def _detail(picture: np.ndarray, person: np.ndarray) -> float:
    """Return the mean step from one pixel to the next in the background."""
    grey = picture[..., :3].mean(axis=2)
    return float(np.abs(np.diff(grey))[person[:, 1:] < 0.01].mean())


def test_colour_and_film(studio: Any) -> None:
    choose(studio, "color")
    background = mask(studio) == 0
    for name, color in (("White", (255, 255, 255)), ("Coral", (251, 113, 133))):
        studio.click(f"#colors button[aria-label={name}]")
        settle(studio)
        assert (canvas(studio)[background][:, :3] == color).all()
    studio.fill("#color", "#123456")
    settle(studio)
    assert (canvas(studio)[background][:, :3] == (0x12, 0x34, 0x56)).all()
    choose(studio, "film")
    before = canvas(studio)
    wait_until(studio, lambda: changed(canvas(studio), before, by=2)[background].mean() > 0.05)
    shoot(studio, "film")


def test_a_film_of_ones_own(studio: Any, tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.webm", [(200, 40, 40)] * 10)
    choose(studio, "film")
    pick(studio, film, lambda: studio.click("#film-open"))
    studio.wait_for_selector("#film-name:has-text('film.webm')")
    background = mask(studio) == 0
    wait_until(studio, lambda: np.abs(canvas(studio)[background][:, :3].astype(int) - (200, 40, 40)).max() < 25)


def test_edge_sliders(studio: Any, person: np.ndarray) -> None:
    choose(studio, "color")
    start, seen = mask(studio), canvas(studio)
    slide(studio, "softness", 0)
    hard = mask(studio)
    assert np.isin(hard, (0, 255)).mean() > 0.999
    assert np.array_equal(hard[np.abs(person - 0.5) > 0.01] > 127, person[np.abs(person - 0.5) > 0.01] > 0.5)
    assert changed(canvas(studio), seen).any()
    shoot(studio, "hard_edge")
    areas = []
    for threshold in (0.2, 0.5, 0.8):
        slide(studio, "threshold", threshold)
        areas.append((mask(studio) > 127).sum())
        assert abs(areas[-1] - (person > threshold).sum()) < 0.001 * person.size
    assert areas[0] > areas[1] > areas[2]
    studio.click("#reset-edge")
    settle(studio)
    assert np.array_equal(mask(studio), start)


def test_comments_fly_behind_the_person(studio: Any) -> None:
    choose(studio, "original")
    clean, people = canvas(studio), mask(studio)
    studio.fill("#comment", "MMMMMMMMMMMMMMMM")
    studio.press("#comment", "Enter")
    assert studio.is_checked("#comments")
    written = decode(studio.evaluate(FLY))
    slide(studio, "comment-speed", 0)
    still = canvas(studio)
    shoot(studio, "comments")
    text, moved = written[..., 3] > 200, changed(still, clean)
    assert (text & (people > 127)).sum() > 3000
    assert moved[text & (people > 127)].mean() <= 0.05
    assert moved[text & (people < 5)].mean() > 0.9
    studio.wait_for_timeout(300)
    assert np.array_equal(canvas(studio), still)
    slide(studio, "comment-speed", 2)
    wait_until(studio, lambda: changed(canvas(studio), still).any())
    studio.uncheck("#comments")
    studio.wait_for_selector("#result[aria-busy=false]")
    assert not changed(canvas(studio), clean).any()


# Five seconds of comments at once, stopped there; what they alone look like.
FLY = """() => {
    const {barrage} = paddlePortrait.studio;
    const {width, height} = document.getElementById('result');
    const canvas = Object.assign(document.createElement('canvas'), {width, height});
    const context = canvas.getContext('2d');
    for (let i = 0; i < 9; i++) barrage.send('MMMMMMMMMMMMMMMMMMMM');
    const start = performance.now();
    for (let i = 0; i < 50; i++) {
        if (i === 49) barrage.speed = 0;
        context.clearRect(0, 0, width, height);
        barrage.draw(context, start + 100 * i);
    }
    return canvas.toDataURL();
}"""


def test_a_page_with_nothing_to_do_rests(studio: Any, files: dict[str, Path]) -> None:
    upload(studio, files["background.png"])  # the second picture on the stage
    upload(studio, files["portrait.png"])
    counted = """async () => {
        const asked = requestAnimationFrame;
        let count = 0;
        globalThis.requestAnimationFrame = (callback) => (count++, asked(callback));
        await new Promise((resolve) => setTimeout(resolve, 700));
        globalThis.requestAnimationFrame = asked;
        return {count, animations: document.getAnimations().length};
    }"""
    assert studio.evaluate(counted) == {"count": 0, "animations": 0}
    studio.check("#comments")
    assert studio.evaluate(counted)["count"] > 0


def test_before_and_after(studio: Any) -> None:
    choose(studio, "color")
    after = shown(studio)
    studio.click("#compare")
    slide(studio, "split-at", 100)
    before = shown(studio)
    slide(studio, "split-at", 50)
    both = shown(studio)
    shoot(studio, "compare")
    middle, rows = both.shape[1] // 2, slice(60, 200)  # below the labels, above the handle
    assert changed(before, after).mean() > 0.2
    assert changed(both[rows, : middle - 20], before[rows, : middle - 20]).mean() < 0.01
    assert changed(both[rows, middle + 20 :], after[rows, middle + 20 :]).mean() < 0.01
    studio.focus("#split-at")
    studio.keyboard.press("ArrowRight")
    assert studio.input_value("#split-at") == "51"
    studio.click("#compare")
    assert changed(shown(studio), after).mean() < 0.01


def test_snapshots(studio: Any, tmp_path: Path) -> None:
    choose(studio, "color")
    for transparent in (False, True):
        studio.set_checked("#transparent", transparent)
        with studio.expect_download() as download:
            studio.click("#snapshot")
        download.value.save_as(tmp_path / "snapshot.png")
        saved = cv2.imread(str(tmp_path / "snapshot.png"), cv2.IMREAD_UNCHANGED)
        seen = canvas(studio)
        if transparent:
            assert np.array_equal(saved[..., 3], mask(studio))
        else:
            assert np.array_equal(saved[..., :3], seen[..., 2::-1])


def test_id_photo(studio: Any, tmp_path: Path) -> None:
    studio.click("#id-photo")
    photo = canvas(studio, "id-canvas")
    assert photo.shape[:2] == (531, 413)  # 35 x 45 mm, 300 to the inch
    assert (photo[:20] == 255).all()  # white above the head
    crown = int(np.argmax(changed(photo, np.full_like(photo, 255), by=60).sum(axis=1) > 10))
    assert 0.05 < crown / 531 < 0.2
    shoot(studio, "id_photo")
    studio.click("#id-colors button[aria-label=Blue]")
    assert (canvas(studio, "id-canvas")[:5, :5, :3] == (0x43, 0x8E, 0xDB)).all()
    studio.fill("#id-color", "#123456")
    assert (canvas(studio, "id-canvas")[:5, :5, :3] == (0x12, 0x34, 0x56)).all()
    studio.select_option("#id-size", "1")
    assert canvas(studio, "id-canvas").shape[:2] == (600, 600)
    with studio.expect_download() as download:
        studio.click("#id-save")
    download.value.save_as(tmp_path / "id.png")
    assert cv2.imread(str(tmp_path / "id.png")).shape == (600, 600, 3)
    studio.click("#id-dialog button[aria-label=Close]")
    assert studio.is_hidden("#id-dialog")


def test_keyboard(studio: Any, files: dict[str, Path]) -> None:
    seen = canvas(studio)
    for key, background in enumerate(("blur", "color", "picture", "film", "none", "original"), start=1):
        studio.keyboard.press(str(key))
        assert studio.is_checked(f"input[value={background}]")
    settle(studio)
    assert changed(canvas(studio), seen).any()
    for key, pressed in (("b", "#compare"), ("c", "#camera")):
        for state in ("true", "false"):
            studio.keyboard.press(key)
            studio.wait_for_selector(f"{pressed}[aria-pressed={state}]")
    opened(
        studio, files["portrait.png"], lambda: pick(studio, files["portrait.png"], lambda: studio.keyboard.press("o"))
    )
    with studio.expect_download():
        studio.keyboard.press("s")
    studio.keyboard.press("r")
    recorded(studio, 1)
    with studio.expect_download():
        studio.keyboard.press("r")
    studio.keyboard.press("i")
    assert studio.is_visible("#id-dialog")
    studio.keyboard.press("Escape")
    studio.keyboard.press("Shift+?")
    shoot(studio, "help")
    studio.keyboard.press("Escape")
    studio.click("#help")
    assert studio.is_visible("#help-dialog")


def test_typed_text_is_no_shortcut(studio: Any) -> None:
    studio.keyboard.press("m")
    assert studio.is_checked("#comments")
    studio.focus("#comment")
    studio.keyboard.type("mb")
    assert studio.input_value("#comment") == "mb"
    assert studio.is_checked("#comments")
    assert studio.get_attribute("#compare", "aria-pressed") == "false"
    studio.click("#comment-form button")
    assert studio.input_value("#comment") == ""


def test_every_control_has_a_name_and_is_reached_by_tab(studio: Any) -> None:
    nameless = studio.evaluate(
        """() => [...document.querySelectorAll('button, input, select')].filter((element) =>
            !(element.textContent.trim() || element.ariaLabel || element.labels?.length
              || element.getAttribute('aria-label'))).map((element) => element.outerHTML)"""
    )
    assert nameless == []
    studio.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(40):
        studio.keyboard.press("Tab")
        reached.add(studio.evaluate("document.activeElement.id || document.activeElement.name"))
        if studio.evaluate("document.activeElement.id") in ("open", "transparent", "softness"):
            shoot(studio, f"focus_{studio.evaluate('document.activeElement.id')}")
        if studio.evaluate("document.activeElement.name") == "background":
            shoot(studio, "focus_background")
    bar = {"open", "camera", "compare", "snapshot", "record", "id-photo", "transparent"}
    panel = {"background", "blur", "softness", "threshold", "smoothing", "reset-edge", "comments", "comment-speed"}
    assert reached >= {"runtime-chip", "help", "comment"} | bar | panel


def test_phone(open_page: Callable[..., Any], files: dict[str, Path]) -> None:
    page = open_page("?runtime=wasm", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True,
                     color_scheme="dark")  # fmt: skip
    page.wait_for_selector("html[data-settled]", state="attached")
    shoot(page, "phone_welcome")
    upload(page, files["portrait.png"])
    shoot(page, "phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    small = page.evaluate(
        """() => [...document.querySelectorAll('.bar button, .tiles label')]
            .map((element) => element.getBoundingClientRect())
            .filter(({width, height}) => width < 40 || height < 40).length"""
    )
    assert small == 0
