"""Moving pictures on the page: the camera, recordings, and memory over many frames."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from looks import canvas, changed, choose, decode, mask, recorded, settle, shoot, slide, upload

FRAMES = int(os.environ.get("WEB_FRAMES", "150"))  # WEB_FRAMES=2000: the long way


@pytest.fixture
def filmed(page: Any) -> Any:
    """Return the page with the camera on it."""
    page.click("#camera")
    page.wait_for_selector("#frame:not([hidden]) #result[data-frames]")
    return page


def next_frames(page: Any, count: int) -> None:
    """Wait until so many further frames are drawn."""
    now = int(page.get_attribute("#result", "data-frames"))
    page.evaluate(
        """(wanted) => new Promise((resolve) => {
            const result = document.getElementById('result');
            const look = () => (Number(result.dataset.frames) >= wanted ? resolve() : requestAnimationFrame(look));
            look();
        })""",
        now + count,
    )


def test_camera(filmed: Any) -> None:
    choose(filmed, "color")
    frames, middles = [], []
    for _ in range(6):
        next_frames(filmed, 2)
        frames.append(canvas(filmed))
        middles.append(np.argwhere(mask(filmed) > 127)[:, 1].mean())
    assert frames[0].shape == (480, 640, 4)
    assert max(changed(frames[0], frame).mean() for frame in frames[1:]) > 0.01
    assert np.ptp(middles) > 5  # the person sways in the clip
    filmed.wait_for_selector("#fps:has-text('fps')")
    shoot(filmed, "camera")
    filmed.click("#camera")
    assert filmed.is_visible("#welcome")


def unrest(page: Any, count: int) -> float:
    """Return how much the mask changes from frame to frame, the mean over so many, in levels of 0 to 255."""
    code = """(count) => new Promise((resolve) => {
        const {studio} = paddlePortrait;
        let last = null, sum = 0, seen = 0;
        const look = () => {
            const {alpha} = studio.shown.mask;
            if (alpha !== last) {
                if (last) sum += alpha.reduce((total, value, i) => total + Math.abs(value - last[i]), 0) / alpha.length;
                last = alpha;
                seen += 1;
            }
            if (seen > count) resolve(sum / count);
            else requestAnimationFrame(look);
        };
        look();
    })"""
    return float(page.evaluate(code, count))


def test_smoothing_over_time(filmed: Any) -> None:
    choose(filmed, "none")
    found: dict[float, list[float]] = {0: [], 0.95: []}
    for smoothing in (0, 0.95) * 3:  # in turns: how far the person moves between two frames depends on the machine
        slide(filmed, "smoothing", smoothing)
        next_frames(filmed, 4)
        found[smoothing].append(unrest(filmed, 8))
    assert np.median(found[0.95]) < 0.7 * np.median(found[0])  # the person moves, too, and that must show


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        ("NotAllowedError", "was not allowed"),
        ("NotFoundError", "No camera was found"),
        ("missing", "https:// and on localhost"),
    ],
)
def test_without_a_camera(open_page: Callable[..., Any], trouble: str, says: str) -> None:
    refuse = f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '{trouble}'));"
    missing = "Object.defineProperty(navigator, 'mediaDevices', {value: undefined});"
    page = open_page("?runtime=wasm", before=missing if trouble == "missing" else refuse)
    page.click("#welcome-camera")
    page.wait_for_selector("#message:not([hidden])")
    assert says in page.inner_text("#message")
    shoot(page, f"message_{trouble}")


@pytest.mark.parametrize("transparent", [False, True])
def test_recording(page: Any, files: dict[str, Path], tmp_path: Path, transparent: bool) -> None:
    import av

    upload(page, files["portrait.png"])
    choose(page, "color")
    people = mask(page)
    page.set_checked("#transparent", transparent)
    page.click("#record")
    recorded(page, 2)
    shoot(page, "recording_transparent" if transparent else "recording")
    with page.expect_download() as download:
        page.click("#record")
    film = tmp_path / "film.webm"
    download.value.save_as(film)
    with av.open(str(film)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) >= 3
    assert frames[-1].shape == (480, 640, 3)
    seen = _played(page, film)
    if transparent:
        assert np.abs(seen[..., 3].astype(int) - people).mean() < 4
    else:
        assert np.abs(seen[people == 0][:, :3].astype(int) - (0, 177, 64)).mean() < 12


def _played(page: Any, film: Path) -> np.ndarray:
    """Return the first frame of a film as the browser shows it, with its opacity."""
    return decode(
        page.evaluate(
            """async (data) => {
                const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
                const video = document.createElement('video');
                Object.assign(video, {muted: true, src: URL.createObjectURL(new Blob([bytes], {type: 'video/webm'}))});
                await video.play();
                await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
                const canvas = document.createElement('canvas');
                Object.assign(canvas, {width: video.videoWidth, height: video.videoHeight});
                canvas.getContext('2d').drawImage(video, 0, 0);
                return canvas.toDataURL();
            }""",
            base64.b64encode(film.read_bytes()).decode(),
        )
    )


@pytest.mark.timeout(300 + FRAMES)
def test_memory_stays_flat(page: Any, browser: Any, files: dict[str, Path]) -> None:
    upload(page, files["portrait.png"])
    settle(page)
    run = """async (count) => {
        const {studio, segment, blurBackground} = paddlePortrait;
        const image = studio.shown.image;
        const canvas = document.createElement('canvas');
        for (let i = 0; i < count; i++) {
            const mask = await segment(studio.session, await createImageBitmap(image), {smoothing: 0.5});
            blurBackground(canvas, image, mask, {radius: 0.03});
        }
    }"""
    page.evaluate(run, 40)
    before = _renderer_mib(page, browser)
    page.evaluate(run, FRAMES)
    grown = _renderer_mib(page, browser) - before
    assert grown < 60, f"{grown:.0f} MiB more after {FRAMES} frames"


def _renderer_mib(page: Any, browser: Any) -> float:
    """Return the resident memory of the largest renderer process, without what is only waiting to be collected."""
    collector = page.context.new_cdp_session(page)
    collector.send("HeapProfiler.collectGarbage")
    collector.detach()
    session = browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    pages = [int(Path(f"/proc/{entry['id']}/statm").read_text().split()[1])
             for entry in found if entry["type"] == "renderer"]  # fmt: skip
    return max(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20
