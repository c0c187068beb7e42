"""The page of the preview, its pictures and its settings, over HTTP on loopback."""

from __future__ import annotations

import json
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from paddle_portrait.console import logger
from paddle_portrait.errors import UserError
from paddle_portrait.video.outputs import Paced
from paddle_portrait.video.pipeline import PipelineReport
from paddle_portrait.video.preview.controls import Controls
from paddle_portrait.video.preview.screen import Screen
from paddle_portrait.video.reader import VideoInfo
from paddle_portrait.video.session import VideoJob, VideoSession
from paddle_portrait.video.writer import Writer

_HOST = "127.0.0.1"
_PAGE = Path(__file__).with_name("page.html")
_BOUNDARY = "picture"
_MOST_BYTES = 10_000  # of a request's body


class Preview:
    """Serves the page while a job runs.

    Args:
        job: what is run; the preview is added to its outputs.
        port: of the page; 0 takes any free one.

    Raises:
        UserError: the port is taken.
    """

    def __init__(self, job: VideoJob, port: int) -> None:
        self._job, self._screens = job, list[Screen]()
        self._opened = 0
        self._session: VideoSession | None = None
        self._closed = False
        self.controls = Controls(job)
        job.extra_outputs = [*job.extra_outputs, self._open]
        try:
            self._server = ThreadingHTTPServer((_HOST, port), partial(_Handler, self))
        except OSError as error:
            raise UserError(f"--preview {port}: the port cannot be had ({error.strerror}); name another.") from error
        self._server.daemon_threads = True
        self.url = f"http://{_HOST}:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, name="preview", daemon=True).start()
        logger.info("preview: %s", self.url)

    def run(self) -> PipelineReport:
        """Do the job. Where nothing else is written, files begin again at their end, until Ctrl-C."""
        endless = not (self._job.outputs or self._job.streams or self._job.virtual_camera or self._job.cameras)
        report = self.run_once()
        while endless and not self._closed:
            report = self.run_once()
        return report

    def run_once(self) -> PipelineReport:
        """Do the job, from the beginning of its files to their end."""
        self._opened = 0
        self._session = VideoSession(self._job)
        self.controls.attach(self._session)
        return self._session.run()

    def close(self) -> None:
        """End what runs and take the page away."""
        self._closed = True
        if self._session is not None:
            self._session.pipeline.stop()
        for screen in self._screens:
            screen.end()
        self._server.shutdown()
        self._server.server_close()

    def screen(self, number: int) -> Screen | None:
        """Return the screen of a stream."""
        return self._screens[number] if number < len(self._screens) else None

    def state(self) -> dict[str, Any]:
        """Return what the page shows beside the pictures."""
        return {**self.controls.state(), "streams": len(self._screens)}

    def _open(self, info: VideoInfo) -> Writer:
        """Return the next stream's screen, which is kept from one run to the next; files are shown at their pace."""
        if self._opened == len(self._screens):
            self._screens.append(Screen())
        screen = self._screens[self._opened]
        self._opened += 1
        return screen if info.live else Paced(screen)


def run_with_preview(job: VideoJob, port: int) -> PipelineReport:
    """Do a job with its preview beside it.

    Raises:
        UserError: the port is taken, or the job cannot be done.
        KeyboardInterrupt: Ctrl-C was pressed; the outputs are finished.
    """
    preview = Preview(job, port)
    try:
        return preview.run()
    finally:
        preview.close()


class _Handler(BaseHTTPRequestHandler):
    """``GET /``, ``/state``, ``/stream/N``; ``POST /settings`` with JSON."""

    protocol_version = "HTTP/1.1"

    def __init__(self, preview: Preview, *arguments: Any) -> None:
        self._preview = preview
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Answer with the page, its state, or a stream of pictures."""
        if not self._is_local():
            self._say(403, {"detail": "this page is for the machine it runs on."})
        elif self.path == "/":
            self._send(200, "text/html; charset=utf-8", _PAGE.read_bytes())
        elif self.path == "/state":
            self._say(200, self._preview.state())
        elif (screen := self._screen()) is not None:
            self._show(screen)
        else:
            self._say(404, {"detail": f"{self.path}: there is nothing here."})

    def do_POST(self) -> None:
        """Change settings."""
        # A foreign page may send text from here, but JSON only after asking, which is never granted.
        is_json = self.headers.get("Content-Type", "").split(";")[0] == "application/json"
        length = int(self.headers.get("Content-Length") or 0)
        if not (self._is_local() and is_json and self.path == "/settings" and 0 < length <= _MOST_BYTES):
            self.close_connection = True
            self._say(403, {"detail": "only JSON to /settings is taken, from this machine."})
            return
        try:
            given = json.loads(self.rfile.read(length))
            if not isinstance(given, dict):
                raise UserError("settings are a JSON object.")
            self._preview.controls.change(given)
        except (UserError, ValueError) as error:
            self._say(422, {"detail": str(error), **self._preview.state()})
        else:
            self._say(200, self._preview.state())

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: a page that asks is no news."""

    def _is_local(self) -> bool:
        """Tell whether the page was asked for by a local name: another name may be a foreign page's trick."""
        return self.headers.get("Host", "").rsplit(":", 1)[0] in (_HOST, "localhost")

    def _screen(self) -> Screen | None:
        kind, _, number = self.path.lstrip("/").partition("/")
        return self._preview.screen(int(number)) if kind == "stream" and number.isdecimal() else None

    def _show(self, screen: Screen) -> None:
        """Send one JPEG after the other until one side leaves."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        shown = 0
        try:
            while (newest := screen.next_jpeg(shown)) is not None:
                shown, jpeg = newest
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
        except OSError:  # the page was closed
            return

    def _say(self, status: int, answer: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(answer).encode())

    def _send(self, status: int, media: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
