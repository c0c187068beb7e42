"""Every way to open a picture or a film."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from looks import canvas, changed, choose, opened, pick, upload, wait_until, write_film

GIVE = """([kind, name, data]) => {
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    const files = new DataTransfer();
    files.items.add(new File([bytes], name, {type: 'image/png'}));
    const about = {bubbles: true, cancelable: true};
    if (kind === 'paste') document.body.dispatchEvent(new ClipboardEvent('paste', {...about, clipboardData: files}));
    else document.getElementById('stage').dispatchEvent(new DragEvent('drop', {...about, dataTransfer: files}));
}"""


def test_every_way_to_open_a_picture(page: Any, files: dict[str, Path]) -> None:
    pictures = files["portrait.png"], files["background.png"]

    def give(kind: str, path: Path) -> None:
        page.evaluate(GIVE, [kind, path.name, base64.b64encode(path.read_bytes()).decode()])

    ways = (
        lambda path: pick(page, path, lambda: page.click("#welcome-open")),
        lambda path: pick(page, path, lambda: page.click("#open")),
        lambda path: give("drop", path),
        lambda path: give("paste", path),
    )
    for number, way in enumerate(ways):
        path = pictures[number % 2]
        opened(page, path, lambda way=way, path=path: way(path))
        choose(page, "original")
        picture = cv2.imread(str(path))[..., ::-1]
        assert not changed(canvas(page)[..., :3], picture, by=2).any(), number


def test_a_film_is_opened(page: Any, tmp_path: Path) -> None:
    film = write_film(tmp_path / "clip.webm", [(200, 40, 40)] * 10 + [(40, 40, 200)] * 10)
    upload(page, film)
    choose(page, "original")
    for color in ((200, 40, 40), (40, 40, 200)):
        wait_until(page, lambda color=color: np.abs(canvas(page)[..., :3].astype(int) - color).max() < 25)
    page.wait_for_selector("#fps:has-text('fps')")


def test_a_file_that_is_no_picture(page: Any, tmp_path: Path, files: dict[str, Path]) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    page.set_input_files("#file", tmp_path / "notes.png")
    page.wait_for_selector("#message:not([hidden])")
    assert "cannot be read as a picture" in page.inner_text("#message")
    upload(page, files["portrait.png"])  # and the page goes on
    assert page.is_hidden("#message")
