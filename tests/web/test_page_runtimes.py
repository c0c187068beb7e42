"""Every runtime answers as Python does before it is used; where none can, the page says why."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from looks import SHOTS, shoot, upload


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("runtime", "limit"), [("wasm", 1e-4), ("webgl", 2e-3)])
def test_golden_vector(open_page: Callable[..., Any], runtime: str, limit: float) -> None:
    page = open_page(f"?runtime={runtime}")
    # WebGL without a graphics card takes twenty seconds of two cores
    page.wait_for_selector(f"html[data-settled={runtime}]", state="attached", timeout=400_000)
    row = page.locator(f"#trials tr[data-runtime={runtime}]")
    assert row.get_attribute("data-state") == "used"
    difference = float(row.get_attribute("data-difference"))
    assert 0 < difference <= limit
    SHOTS.mkdir(parents=True, exist_ok=True)
    (SHOTS / f"golden_{runtime}.json").write_text(json.dumps({"difference": difference, "limit": limit}))


def test_the_runtime_is_chosen_and_shown(open_page: Callable[..., Any], files: dict[str, Path]) -> None:
    page = open_page()
    page.wait_for_selector("html[data-settled=auto]", state="attached")
    assert page.inner_text("#runtime-name").startswith("WebAssembly · ")  # the others are drawn in software here
    page.click("#runtime-chip")
    assert "in use" in page.inner_text("#trials tr[data-runtime=wasm]")
    assert "software" in page.inner_text("#trials tr[data-runtime=webgl]")
    assert page.inner_text("#model")
    shoot(page, "runtimes")
    page.select_option("#runtime", "wasm")
    page.wait_for_selector("html[data-settled=wasm]", state="attached")
    page.keyboard.press("Escape")
    upload(page, files["portrait.png"])
    page.context.set_offline(True)
    upload(page, files["background.png"])


def test_a_wrong_answer_is_found_out(open_page: Callable[..., Any], site: Path) -> None:
    golden = json.loads((site / "model" / "golden.json").read_text())
    answer = bytearray(base64.b64decode(golden["vector"]["probability_uint16_base64"]))
    answer[1001] ^= 0x40  # one probability of 3072, a quarter off
    golden["vector"]["probability_uint16_base64"] = base64.b64encode(answer).decode()
    page = open_page("?runtime=wasm", routes={"**/golden.json": golden})
    page.wait_for_selector("#message:not([hidden])")
    assert "WebAssembly: its answers differ by 0.2" in page.inner_text("#message")
    assert page.locator("#trials tr[data-runtime=wasm]").get_attribute("data-state") == "wrong"


def test_a_runtime_that_dies_is_told_of(open_page: Callable[..., Any], files: dict[str, Path]) -> None:
    page = open_page("?runtime=wasm")
    page.wait_for_selector("html[data-settled=wasm]", state="attached")
    # as Paddle.js does when the graphics card is taken away
    page.workers[0].evaluate("() => { setTimeout(() => { throw new Error('webgl context is lost'); }); }")
    page.set_input_files("#file", files["portrait.png"])
    page.wait_for_selector("#message:not([hidden])")
    assert "context is lost" in page.inner_text("#message")
    page.click("#runtime-chip")
    page.select_option("#runtime", "auto")
    page.wait_for_selector("html[data-settled=auto]", state="attached")
    page.keyboard.press("Escape")
    upload(page, files["portrait.png"])


@pytest.mark.parametrize(
    ("name", "before", "query", "says"),
    [
        ("no_runtime", "delete globalThis.WebAssembly; delete globalThis.OffscreenCanvas;", "", "no WebAssembly"),
        ("no_webgl", "OffscreenCanvas.prototype.getContext = () => null;", "?runtime=webgl", "no WebGL 2"),
    ],
)
def test_missing_runtimes_are_named(
    open_page: Callable[..., Any], name: str, before: str, query: str, says: str
) -> None:
    page = open_page(query, before)
    page.wait_for_selector("#message:not([hidden])")
    assert says in page.inner_text("#message")
    assert page.inner_text("#runtime-name") == "Cannot run"
    shoot(page, f"message_{name}")
    page.click("#message-close")
    assert page.is_hidden("#message")
