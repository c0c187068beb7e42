"""Live outputs: network streams, the virtual camera, and several outputs at once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from paddle_portrait.errors import UserError
from paddle_portrait.video.codecs import Container
from paddle_portrait.video.frame import Frame
from paddle_portrait.video.reader import Item, VideoInfo
from paddle_portrait.video.writer import PictureFolder, VideoWriter, Writer

# By the beginning of the URL. A receiver may join at any key frame, so there is one a second or two.
_STREAMS = {
    "rtmp": Container(("h264",), (), {"flush_packets": "1", "flvflags": "no_duration_filesize"}, "flv"),
    "rtsp": Container(("h264",), (), {"rtsp_transport": "tcp"}, "rtsp"),
    "udp": Container(("h264",), (), {"flush_packets": "1"}, "mpegts"),
    "pipe": Container(("h264",), (), {"flush_packets": "1"}, "matroska"),
}
_LIVE_ENCODING = {"preset": "veryfast", "tune": "zerolatency", "thread_type": "slice"}


def open_file(
    target: str | Path, info: VideoInfo, codec: str | None, transparent: bool, options: Mapping[str, str]
) -> Writer:
    """Open a video file by its suffix, or a folder of pictures where there is none."""
    if not Path(target).suffix:
        return PictureFolder(target)
    return VideoWriter(target, info, None, codec, transparent, options)


def open_stream(url: str, info: VideoInfo, options: Mapping[str, str]) -> Writer:
    """Open a stream: ``rtmp://``, ``rtsp://``, ``udp://``, or ``pipe:1`` (Matroska on standard output).

    A file is sent at the pace at which it plays, except into a pipe, whose reader sets the pace.

    Raises:
        UserError: another kind of URL, or nobody receives it.
    """
    scheme = url.split(":", 1)[0]
    if scheme not in _STREAMS or ":" not in url:
        raise UserError(f"--stream {url}: it must begin with rtmp://, rtsp:// or udp://, or be pipe:1.")
    if scheme == "udp" and "pkt_size" not in url:
        url += ("&" if "?" in url else "?") + "pkt_size=1316"  # seven whole packets of MPEG-TS in each datagram
    encoding = {**_LIVE_ENCODING, "g": str(max(1, round(2 * info.rate))), **options}
    writer = VideoWriter(url, info, _STREAMS[scheme], None, False, encoding)
    return writer if scheme == "pipe" or info.live else Paced(writer)


class Paced:
    """Hands pictures on no sooner than they are due."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._start: tuple[float, Fraction] | None = None

    def write(self, item: Item) -> None:
        """Wait until a picture's time has come, then write it; sound waits with the pictures around it."""
        if isinstance(item, Frame):
            if self._start is None:
                self._start = (time.monotonic(), item.seconds)
            due = self._start[0] + float(item.seconds - self._start[1])
            time.sleep(max(0.0, due - time.monotonic()))
        self._writer.write(item)

    def close(self) -> None:
        """Finish the stream."""
        self._writer.close()


class VirtualCamera:
    """A camera that other programs see, by pyvirtualcam; on Linux the kernel module v4l2loopback makes its device.

    Raises:
        UserError: the package or the device is missing.
    """

    def __init__(self, info: VideoInfo) -> None:
        try:
            import pyvirtualcam
        except ImportError:
            raise UserError("--virtual_camera needs a package: pip install pyvirtualcam") from None
        height, width = info.size_hw
        try:
            self._camera: Any = pyvirtualcam.Camera(width=width, height=height, fps=float(info.rate))
        except RuntimeError as error:
            raise UserError(f"the virtual camera cannot be opened: {error}") from error

    def write(self, item: Item) -> None:
        """Show a picture at its time; a camera has no sound."""
        if isinstance(item, Frame):
            self._camera.send(item.rgb())
            self._camera.sleep_until_next_frame()

    def close(self) -> None:
        """Remove the camera."""
        self._camera.close()


class Tee:
    """Several outputs of the same pictures."""

    def __init__(self, writers: Sequence[Writer]) -> None:
        self._writers = writers

    def write(self, item: Item) -> None:
        """Write to each."""
        for writer in self._writers:
            writer.write(item)

    def close(self) -> None:
        """Close each, also when another cannot be."""
        errors = []
        for writer in self._writers:
            try:
                writer.close()
            except Exception as error:  # the other outputs are closed first
                errors.append(error)
        if errors:
            raise errors[0]
