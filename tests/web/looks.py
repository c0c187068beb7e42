"""What the tests of the page share: reading canvases, waiting, moving controls, pictures for people."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SHOTS = Path(__file__).resolve().parents[2] / "output" / "web_page"


def settle(page: Any) -> None:
    """Wait until everything that was asked for is drawn."""
    page.wait_for_selector("#frame:not([hidden]) #result[aria-busy=false]")


def wait_until(page: Any, holds: Callable[[], object], seconds: float = 150) -> None:
    """Wait for what only Python can judge."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds:.0f} seconds"
        page.wait_for_timeout(100)


def recorded(page: Any, seconds: int) -> None:
    """Wait until a recording is that long, or longer: a busy machine looks late."""

    def long_enough() -> bool:
        minutes, rest = page.inner_text("#recording-time").split(":")
        return 60 * int(minutes) + int(rest) >= seconds

    wait_until(page, long_enough)


def decode(data_url: str) -> np.ndarray:
    """Return a PNG of a data URL as uint8 H×W×4, RGBA."""
    data = np.frombuffer(base64.b64decode(data_url.split(",")[1]), np.uint8)
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)


def canvas(page: Any, name: str = "result") -> np.ndarray:
    """Return what a canvas shows, uint8 H×W×4, RGBA."""
    return decode(page.evaluate("(name) => document.getElementById(name).toDataURL()", name))


def shown(page: Any) -> np.ndarray:
    """Return what the stage shows, uint8 H×W×4."""
    data = page.locator("#frame").screenshot()
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGBA)


def mask(page: Any) -> np.ndarray:
    """Return the opacity of the mask that is shown, uint8 H×W."""
    code = """() => {
        const {alpha, width} = paddlePortrait.studio.shown.mask;
        let text = '';
        for (let i = 0; i < alpha.length; i += 8192) text += String.fromCharCode(...alpha.subarray(i, i + 8192));
        return {width, data: btoa(text)};
    }"""
    found = page.evaluate(code)
    return np.frombuffer(base64.b64decode(found["data"]), np.uint8).reshape(-1, found["width"])


def upload(page: Any, path: Path) -> None:
    """Open a picture, and wait for its result."""
    opened(page, path, lambda: page.set_input_files("#file", path))


def opened(page: Any, path: Path, act: Callable[[], object]) -> None:
    """Do what opens a file, and wait for its result."""
    page.evaluate("document.getElementById('status').textContent = ''")
    act()
    page.wait_for_selector(f"#status:has-text('{path.name} opened')", state="attached")
    settle(page)


def pick(page: Any, path: Path, act: Callable[[], object]) -> None:
    """Do what asks for a file, and give it that one."""
    with page.expect_file_chooser() as chooser:
        act()
    chooser.value.set_files(path)


def write_film(path: Path, colors: list[tuple[int, int, int]]) -> Path:
    """Write a WebM clip of plain colours, ten a second."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for color in colors:
            picture = np.full((120, 160, 3), color, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    return path


def choose(page: Any, background: str) -> None:
    """Choose a kind of background."""
    page.check(f"input[name=background][value={background}]", force=True)
    settle(page)


def slide(page: Any, name: str, value: float) -> None:
    """Move a slider as people do: its events are fired."""
    page.evaluate(
        """([name, value]) => {
            const slider = document.getElementById(name);
            slider.value = value;
            slider.dispatchEvent(new Event('input', {bubbles: true}));
        }""",
        [name, str(value)],
    )
    settle(page)


def changed(one: np.ndarray, other: np.ndarray, by: int = 8) -> np.ndarray:
    """Return where two pictures differ, bool H×W."""
    return np.abs(one.astype(int) - other).max(axis=2) > by


def shoot(page: Any, name: str) -> None:
    """Keep a picture of the page in output/web_page."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")
