"""The preview's page in a real browser: its keys and sliders reach the program, and the picture is seen."""

from __future__ import annotations

import importlib.util
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("av", reason="videos need PyAV")

from paddle_portrait.effects import build_effect
from paddle_portrait.inference import Predictor
from paddle_portrait.video.preview.server import Preview
from paddle_portrait.video.session import VideoJob

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture
def preview(clips, red_network: Path) -> Iterator[Preview]:
    """Show the moving square before green, for ever."""
    clips.picture("blue.png", (20, 30, 210))
    background, video = clips.picture(), clips.square(count=12)
    job = VideoJob(Predictor.load(red_network), build_effect("replace"), [str(video)], background=str(background))
    shown = Preview(job, 0)
    thread = threading.Thread(target=shown.run, daemon=True)
    thread.start()
    yield shown
    shown.close()
    thread.join(20)


def test_keys_and_sliders(preview: Preview) -> None:
    if CHROMIUM is None or importlib.util.find_spec("playwright") is None:
        assert os.environ.get("REQUIRE_BROWSER") != "1", "no browser (REQUIRE_BROWSER=1)"
        pytest.skip('needs Chromium, and Playwright: pip install "paddle_portrait[web]"')
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(150_000)  # for machines that do other things, too
        faults: list[Any] = []
        page.on("pageerror", lambda fault: faults.append(fault))
        page.goto(preview.url, wait_until="commit")
        page.wait_for_function("document.querySelector('#pictures img')?.naturalWidth === 160")

        def wait_for(setting: str, value: Any) -> None:
            page.wait_for_function(f"state.{setting} === {value!r}")
            assert getattr(preview.controls.settings, setting) == value

        for key, effect in (("c", "color_transfer"), ("s", "seamless_clone"), ("H", "harmonize")):
            page.keyboard.press(key)
            wait_for("effect", effect)
        page.keyboard.press("h")
        wait_for("effect", "")
        page.keyboard.press("m")
        page.wait_for_function("state.smooth_step")
        assert page.locator("button[aria-pressed=true]").inner_text() == "M smooth step"
        for name, value in (("threshold", 0.3), ("strength", 0.5), ("every", 4), ("background", 0)):
            page.locator(f"#{name}").fill(str(value))
            wait_for(name, value)
        page.locator("#smoothing").select_option("one_euro")
        wait_for("smoothing", "one_euro")
        assert page.locator("#background").locator("xpath=..").locator("output").inner_text() == "blue.png"
        assert page.locator("#message").inner_text() == "" and not faults
        browser.close()
