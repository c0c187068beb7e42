"""Paddle.js in a headless Chromium, drawn in software: what runs ``paddlejs`` exports for the proof.

The browser opens ``browser_runner.html`` from a server on the loopback interface. That page loads the exported files
with the published Paddle.js, asks for one input after the other, and posts the answers.
"""

from __future__ import annotations

import http.server
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path

import numpy as np

from paddle_portrait.errors import UserError
from paddle_portrait.export.errors import CannotRunHereError
from paddle_portrait.inference.deploy_file import TargetFiles

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = Path(__file__).resolve().parents[2] / "deploy" / "paddlejs" / "node_modules" / "@paddlejs"
_CORE, _WEBGL = "paddlejs-core", "paddlejs-backend-webgl"
_PAGE = Path(__file__).with_suffix(".html")
_SCRIPT = "lib/index.js"  # of either package
# Software everywhere: the same answer with and without a graphics card. The browser calls nobody.
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--remote-debugging-pipe",
)
# Of the pipe it reads descriptor 3, and ends when that is closed: also when this process is killed.
_WITH_PIPE = 'exec "$@" 3<&0 4>/dev/null'
_PATIENCE_S = 900.0  # for a start or a run: the processor compiles and runs the shaders, and may have other work
_FAREWELL_S = 10.0


def missing() -> str | None:
    """Return in one line what this machine lacks to run Paddle.js, and what installs it; None: nothing."""
    lacks = []
    if _find_browser() is None:
        lacks.append("Chromium (bash .ci/install_browser.sh)")
    if not all((PACKAGES / name / _SCRIPT).is_file() for name in (_CORE, _WEBGL)):
        lacks.append("the npm packages of Paddle.js (npm ci --ignore-scripts --prefix deploy/paddlejs)")
    return f"to run it, this is missing: {' and '.join(lacks)}" if lacks else None


class BrowserRunner:
    """An exported Paddle.js model, loaded in a browser of its own.

    Args:
        directory: the exported directory.
        files: the target's files in it; one input called ``image``, one output.

    Raises:
        CannotRunHereError: Chromium or Paddle.js is missing here, or this Chromium does not start or draws no WebGL.
        UserError: Paddle.js cannot load the model.
    """

    def __init__(self, directory: Path, files: TargetFiles) -> None:
        lacks = missing()
        if lacks:
            raise CannotRunHereError(lacks)
        self._shape = _output_shape(directory / files.model)
        self._inputs: queue.Queue[bytes | None] = queue.Queue()
        self._said: queue.Queue[tuple[str, bytes]] = queue.Queue()
        server = _serve(_served(directory, files), self._inputs, self._said)
        profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        self._process = _start_browser(f"http://127.0.0.1:{server.server_port}/", Path(profile.name))
        self._finalizer = weakref.finalize(self, _end, self._process, server, self._inputs, profile)
        try:
            where = self._wait("ready").decode()
        except BaseException:
            self.close()
            raise
        self.runtime = f"paddle.js {_version(_CORE)}, webgl {_version(_WEBGL)}, {where}"

    @property
    def pid(self) -> int:
        """Number of the browser's process, and of the group of all of its processes."""
        return self._process.pid

    def run(self, tensor: np.ndarray) -> np.ndarray:
        """Map float32 N×C×H×W of the exported size to the graph's output, float32.

        Raises:
            UserError: Paddle.js fails, or does not answer in a quarter of an hour.
        """
        self._inputs.put(np.ascontiguousarray(tensor, "<f4").tobytes())
        return np.frombuffer(self._wait("answer"), "<f4").reshape(self._shape)

    def close(self) -> None:
        """End the browser and the server."""
        self._finalizer()

    def _wait(self, wanted: str) -> bytes:
        """Return what comes with the page's next word, which must be ``wanted``."""
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            try:
                kind, body = self._said.get(timeout=0.5)
            except queue.Empty:
                if self._process.poll() is None:
                    continue
                if wanted == "ready":
                    raise CannotRunHereError(f"Chromium ended (exit code {self._process.returncode})") from None
                raise UserError(f"Chromium ended (exit code {self._process.returncode}).") from None
            if kind == wanted:
                return body
            if kind == "lacks":
                raise CannotRunHereError(f"this Chromium has no {body.decode()}")
            raise UserError(f"Paddle.js: {' '.join(body.decode(errors='replace').split())}.")
        raise UserError(f"Paddle.js did not answer within {_PATIENCE_S:.0f} seconds.")


def _find_browser() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def _version(package: str) -> str:
    return json.loads((PACKAGES / package / "package.json").read_text(encoding="utf-8"))["version"]


def _output_shape(model: Path) -> list[int]:
    graph = json.loads(model.read_text(encoding="utf-8"))
    fetched = next(one["inputs"]["X"][0] for one in graph["ops"] if one["type"] == "fetch")
    return graph["vars"][fetched]["shape"]


def _served(directory: Path, files: TargetFiles) -> dict[str, Path]:
    """Return what the server gives, by address."""
    scripts = {f"/{name}.js": PACKAGES / name / _SCRIPT for name in (_CORE, _WEBGL)}
    model = {f"/model/{Path(name).name}": directory / name for name in files.own_names()}
    return {"/": _PAGE, **scripts, **model}


def _serve(
    served: dict[str, Path], inputs: queue.Queue[bytes | None], said: queue.Queue[tuple[str, bytes]]
) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/input":
                content = inputs.get()
                if content is None:  # the end: nobody listens any more
                    return
            elif self.path in served:
                content = served[self.path].read_bytes()
            else:
                self.send_error(404)
                return
            kind = "text/html" if self.path == "/" else "application/octet-stream"
            self._send(content, "text/javascript" if self.path.endswith(".js") else kind)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            said.put((self.path.removeprefix("/"), body))
            self._send(b"", "text/plain")

        def _send(self, content: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with suppress(OSError):  # the browser may be gone
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Requests are not worth telling."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _start_browser(url: str, profile: Path) -> subprocess.Popen[bytes]:
    browser = _find_browser()
    assert browser is not None  # asked for above
    return subprocess.Popen(
        ["sh", "-c", _WITH_PIPE, "sh", browser, *_FLAGS, f"--user-data-dir={profile}", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # to end all of its processes, and so that Ctrl-C is ours alone
    )


def _end(
    process: subprocess.Popen[bytes],
    server: http.server.ThreadingHTTPServer,
    inputs: queue.Queue[bytes | None],
    profile: tempfile.TemporaryDirectory[str],
) -> None:
    assert process.stdin is not None
    process.stdin.close()
    inputs.put(None)  # for a request that waits
    server.shutdown()
    server.server_close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=_FAREWELL_S)
    with suppress(ProcessLookupError):  # all of them went
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    profile.cleanup()
