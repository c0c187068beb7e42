"""The preview's page over HTTP: what it shows, what it changes, and whom it refuses."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("av", reason="videos need PyAV")

from paddle_portrait.cli.bg_replace import main
from paddle_portrait.effects import build_effect
from paddle_portrait.errors import UserError
from paddle_portrait.inference import Predictor
from paddle_portrait.video.preview.controls import Settings, refiners_of
from paddle_portrait.video.preview.server import Preview
from paddle_portrait.video.session import VideoJob

PATIENCE = 20.0  # seconds


class Page:
    """A preview that runs in a thread, and a client of it."""

    def __init__(self, preview: Preview) -> None:
        self._preview = preview
        self.port = int(preview.url.rsplit(":", 1)[1].strip("/"))

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Send a request; return status and content, decoded where it is JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        content = answer.read()
        is_json = answer.headers["Content-Type"] == "application/json"
        connection.close()
        return answer.status, json.loads(content) if is_json else content

    def change(self, **settings: Any) -> tuple[int, Any]:
        """Change settings."""
        return self.ask("POST", "/settings", settings)

    def picture(self) -> np.ndarray:
        """Return the newest picture, RGB."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", "/stream/0")
        answer = connection.getresponse()
        assert answer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=picture"
        length = 0
        while (line := answer.readline().strip()) or not length:
            if line.startswith(b"Content-Length: "):
                length = int(line.split()[1])
        picture = cv2.imdecode(np.frombuffer(answer.read(length), np.uint8), cv2.IMREAD_COLOR)
        connection.close()
        return picture[..., ::-1]

    def wait_for_corner(self, colour: tuple[int, int, int]) -> None:
        """Wait until the background is of a colour, which it may become with any later picture."""
        end = time.monotonic() + PATIENCE
        while np.abs(self.picture()[5, 150].astype(int) - colour).max() > 16:
            assert time.monotonic() < end, f"never {colour}: {self.picture()[5, 150]}"


@pytest.fixture
def page(clips, red_network: Path) -> Iterator[Page]:
    """Show the moving square before green, for ever; a blue picture lies beside the green one."""
    (clips.folder / "walls").mkdir()
    green = clips.picture("walls/green.png")
    clips.picture("walls/blue.png", (20, 30, 210))
    video = clips.write(clips.folder / "still.mp4", [clips.scene(0)] * 8)
    job = VideoJob(Predictor.load(red_network), build_effect("replace"), videos=[str(video)], background=str(green))
    preview = Preview(job, 0)
    thread = threading.Thread(target=preview.run, daemon=True)
    thread.start()
    page = Page(preview)
    end = time.monotonic() + PATIENCE
    while not page.ask("GET", "/state")[1]["streams"]:
        assert time.monotonic() < end, "the video does not begin"
        time.sleep(0.05)
    yield page
    preview.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_the_page_shows_what_is_drawn_and_follows_its_controls(page: Page) -> None:
    status, html = page.ask("GET", "/")
    assert status == 200 and b"<!doctype html>" in html
    page.wait_for_corner((20, 200, 30))
    state = page.ask("GET", "/state")[1]
    assert state["backgrounds"] == ["blue.png", "green.png"] and state["background"] == 1
    assert page.change(background=0)[0] == 200
    page.wait_for_corner((20, 30, 210))
    for settings in (
        {"smoothing": "optic_flow", "strength": 0.5},
        {"every": 3},
        {"smooth_step": True},
        {"effect": "color_transfer"},
        {"effect": "seamless_clone"},
        {"effect": "harmonize", "smoothing": "exponential"},
        {"effect": ""},
    ):
        status, state = page.change(**settings)
        assert status == 200 and settings.items() <= state.items()
        assert page.picture().shape == (96, 160, 3)


def test_a_threshold_is_drawn_as_half_a_person() -> None:
    frame, person = np.zeros((1, 4, 3), np.uint8), np.float32([[0, 0.1, 0.2, 1]])
    (shift,) = refiners_of(Settings(threshold=0.2))
    np.testing.assert_allclose(shift(frame, person), [[0, 0.25, 0.5, 1]], atol=1e-6)
    assert refiners_of(Settings()) == []
    shift, step = refiners_of(Settings(threshold=0.2, smooth_step=True))
    assert step(frame, shift(frame, person))[0, 2] > 0.99


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"threshold": 2}, "from 0.05 to 0.95"),
        ({"threshold": True}, "no setting"),
        ({"every": 0}, "from 1 to 10"),
        ({"every": 2.5}, "no setting"),
        ({"background": 2}, "from 0 to 1"),
        ({"background": "/etc/passwd"}, "no setting"),
        ({"smoothing": "flow"}, "optic_flow"),
        ({"effect": "blur"}, "no key"),
        ({"__class__": 1}, "no setting"),
    ],
)
def test_wrong_settings_are_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        Settings().changed(given, 2)


def test_wrong_requests_change_nothing(page: Page) -> None:
    before = page.ask("GET", "/state")[1]
    assert page.change(every=0)[0] == 422
    assert page.ask("POST", "/settings", b"{")[0] == 422
    assert page.ask("POST", "/settings", [1])[0] == 422
    assert page.ask("POST", "/settings", {"every": 2}, **{"Content-Type": "text/plain"})[0] == 403
    assert page.ask("POST", "/settings", {"every": 2}, Host="evil.example:80")[0] == 403
    assert page.ask("POST", "/settings", b"{}" + b" " * 20_000)[0] == 403
    assert page.ask("GET", "/state", Host="evil.example")[0] == 403
    assert page.ask("GET", "/stream/7")[0] == page.ask("GET", "/../etc/passwd")[0] == 404
    assert page.ask("GET", "/state")[1] == before


def test_effects_with_a_background_need_one(clips, red_network: Path) -> None:
    job = VideoJob(Predictor.load(red_network), build_effect("blur"), videos=[str(clips.square(count=3))])
    preview = Preview(job, 0)
    page = Page(preview)
    try:
        preview.run_once()
        status, state = page.change(effect="color_transfer")
        assert status == 422 and "needs a background" in state["detail"] and state["effect"] == ""
    finally:
        preview.close()


def test_a_file_is_written_beside_the_preview_and_a_taken_port_is_told(clips, red_network: Path, capsys) -> None:
    source, target = clips.square(count=4), clips.folder / "out.mp4"
    line = ["--model", red_network, "--video_path", source, "--output", target, "--preview", "0"]
    assert main([*map(str, line)]) == 0
    assert len(clips.facts(target).times) == 4
    taken = Preview(VideoJob(Predictor.load(red_network), build_effect("blur")), 0)
    try:
        assert main([*map(str, line[:-1]), str(Page(taken).port)]) == 2
    finally:
        taken.close()
    assert "port" in capsys.readouterr().err
