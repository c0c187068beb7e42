"""Writing a video: every picture at its own time, sound beside it, a file that plays even after a kill."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import cv2
import numpy as np

from paddle_portrait.console import logger
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess import write_image
from paddle_portrait.video.codecs import Codec, Container, choose_codec, container_of
from paddle_portrait.video.frame import Frame, new_planar, plane_views
from paddle_portrait.video.palette import to_palette
from paddle_portrait.video.reader import Item, VideoInfo
from paddle_portrait.video.sound import SoundTrack, add_tracks

_LONG_FRAMES = 40_000  # 20 minutes and more


class Writer(Protocol):
    """Where finished pictures go."""

    def write(self, item: Item) -> None:
        """Take the next picture or packet of sound, in the order of the source."""
        ...

    def close(self) -> None:
        """Finish; what was written stays usable whether or not all of it came."""
        ...


class VideoWriter:
    """A video file or a stream over the network.

    Args:
        target: path or URL.
        info: size, rate, time base, colours and sound of what is to be written.
        container: the kind of file; None: by the suffix of ``target``.
        codec: one of ``codecs.CODECS``; None: the first that the container holds.
        transparent: whether pictures come with transparency.
        options: the encoder's options, over those that the codec has by itself.

    Raises:
        UserError: the name, the codec or an option does not fit, or the place cannot be written.
    """

    def __init__(
        self,
        target: str | Path,
        info: VideoInfo,
        container: Container | None = None,
        codec: str | None = None,
        transparent: bool = False,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self._target, self._info = str(target), info
        kind = container or container_of(target)
        chosen = choose_codec(target, kind, codec, transparent)
        self._codec = replace(chosen, options={**chosen.options, **(options or {})})
        self._size_hw = tuple(side + side % 2 if self._codec.even else side for side in info.size_hw)
        if self._size_hw != info.size_hw:
            logger.info("%s: the last row or column is doubled, since this codec takes even sizes only", target)
        self._durations: dict[int, int] = {}
        self._closed = False
        is_long = info.frames is None or info.frames > _LONG_FRAMES
        self._container = _open_output(self._target, kind, {**kind.options, **(kind.long_options if is_long else {})})
        self._stream: Any = self._add_stream()
        self._tracks: dict[int, SoundTrack] = {}
        if kind.sound:
            self._tracks = add_tracks(self._container, info.sound)
        elif info.sound:
            logger.warning("%s: such a file holds no sound; it is left out", target)
        self._start()

    def write(self, item: Item) -> None:
        """Encode a picture, or put a packet of sound beside the pictures."""
        if isinstance(item, Frame):
            picture = self._fitted(item)
            self._durations[picture.pts or 0] = picture.duration or 0
            self._mux(self._stream.encode(picture))
        elif item.stream.index in self._tracks:
            self._put(list(self._tracks[item.stream.index].take(item)))

    def close(self) -> None:
        """Write what the encoders still hold, and the end of the file."""
        if self._closed:
            return
        self._closed = True
        try:
            self._mux(self._stream.encode(None))
            for track in self._tracks.values():
                self._put(list(track.finish()))
        finally:
            self._container.close()

    def _start(self) -> None:
        """Open the encoder and write the file's head: whatever is wrong with them is to be told before the work."""
        try:
            self._container.start_encoding()
        except (av.FFmpegError, OSError) as error:
            self._closed = True
            raise UserError(f"{self._target}: cannot be written with {self._codec} ({error.strerror}).") from error
        wrong = [name for name in self._codec.options if name in self._stream.codec_context.options]
        if wrong:
            self.close()
            raise UserError(f"{self._target}: {self._codec.encoder} has no option {', '.join(wrong)}.")

    def _add_stream(self) -> Any:
        codec, info = self._codec, self._info
        os.environ.setdefault("SVT_LOG", "1")  # the AV1 encoder talks a page on every start
        try:
            stream: Any = self._container.add_stream(codec.encoder, rate=info.rate, options=dict(codec.options))
        except (av.FFmpegError, ValueError) as error:
            raise UserError(f"{self._target}: the encoder {codec.encoder} cannot be set up ({error}).") from error
        stream.height, stream.width = self._size_hw
        stream.pix_fmt = codec.pixels
        stream.time_base = stream.codec_context.time_base = _time_base(codec, info)
        if codec.pixels.startswith("yuv"):
            info.colour.tag(stream.codec_context)
        return stream

    def _fitted(self, frame: Frame) -> av.VideoFrame:
        """Return the picture in the encoder's pixel format, size and time base."""
        picture = frame.picture
        if self._codec.pixels == "pal8":
            converted = to_palette(picture)
        elif picture.format.name.replace("yuvj", "yuv") != self._codec.pixels:
            converted = picture.reformat(format=self._codec.pixels)
        elif (picture.height, picture.width) != self._size_hw:
            converted = _padded(frame, self._size_hw)
        else:
            converted = picture
        base = self._stream.codec_context.time_base
        pts, duration = round(frame.seconds / base), round(frame.duration / base)
        if converted is picture and (pts, base) == (picture.pts, picture.time_base):
            return picture
        converted.pts, converted.time_base, converted.duration = pts, base, duration
        return converted

    def _mux(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            # An encoder knows no duration of the last picture, which decides how long the file is.
            duration = self._durations.pop(packet.pts or 0, 0)
            if duration:
                packet.duration = duration
        self._put(packets)

    def _put(self, packets: list[av.Packet]) -> None:
        try:
            for packet in packets:
                self._container.mux(packet)
        except (av.FFmpegError, OSError) as error:
            raise UserError(f"{self._target}: cannot be written ({error}).") from error


class PictureFolder:
    """A folder of PNG files, and a list of them with their times that FFmpeg plays: ``frames.ffconcat``."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._count = 0
        self._last: tuple[str, Fraction] | None = None
        self._last_duration = Fraction(0)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._list = (self._folder / "frames.ffconcat").open("w", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{folder}: cannot be written ({error.strerror}).") from error
        self._list.write("ffconcat version 1.0\n")

    def write(self, item: Item) -> None:
        """Write a picture; sound is left out."""
        if not isinstance(item, Frame):
            return
        self._count += 1
        name = f"{self._count:06d}.png"
        transparent = item.picture.format.name == "rgba"
        write_image(self._folder / name, item.picture.to_ndarray() if transparent else item.rgb())
        if self._last is not None:
            self._tell(item.seconds - self._last[1])
        self._last = (name, item.seconds)
        self._last_duration = item.duration

    def close(self) -> None:
        """Finish the list."""
        if self._last is not None and not self._list.closed:
            self._tell(self._last_duration)
        self._list.close()

    def _tell(self, duration: Fraction) -> None:
        assert self._last is not None
        self._list.write(f"file {self._last[0]}\nduration {float(duration):.6f}\n")
        self._list.flush()


def _open_output(target: str, kind: Container, options: Mapping[str, str]) -> av.container.OutputContainer:
    with suppress(OSError):
        if "://" not in target and not target.startswith("pipe:"):
            Path(target).parent.mkdir(parents=True, exist_ok=True)
    try:
        return av.open(target, "w", format=kind.format, options=dict(options))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UserError(f"{target}: cannot be written ({error}).") from error


def _time_base(codec: Codec, info: VideoInfo) -> Fraction:
    return _FIXED_TICKS.get(codec.encoder, info.time_base)


_FIXED_TICKS = {"gif": Fraction(1, 100), "libwebp_anim": Fraction(1, 1000)}


def _padded(frame: Frame, size_hw: tuple[int, ...]) -> av.VideoFrame:
    """Return a planar picture with its last row or column repeated."""
    result = new_planar((size_hw[0], size_hw[1]), frame.colour)
    for source, target in zip(frame.planes(), plane_views(result), strict=True):
        bottom, right = target.shape[0] - source.shape[0], target.shape[1] - source.shape[1]
        target[:] = cv2.copyMakeBorder(np.ascontiguousarray(source), 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    return result
