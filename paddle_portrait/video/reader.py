"""Reading a video: pictures with their exact times, sound untouched, damage reported."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from paddle_portrait.console import logger
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.geometry import Size
from paddle_portrait.video.colour import Colour
from paddle_portrait.video.frame import Frame, copy_at, upright_planar

_LIVE = ("rtsp://", "rtsps://", "rtmp://", "rtmps://", "udp://", "rtp://", "srt://", "tcp://")
_DEFAULT_RATE = Fraction(25)
Item = Frame | av.Packet
"""What a reader yields: a picture, or a packet of sound."""


@dataclass(frozen=True)
class VideoInfo:
    """What a writer must know to write the like.

    Attributes:
        name: of the source, for messages and file names.
        size_hw: of the upright pictures.
        rate: average frames a second; the times of the frames are what counts.
        time_base: seconds of a tick.
        colour: what the numbers of the planes mean.
        frames: how many pictures there are, where that is known or can be estimated.
        sound: the sound streams.
        live: whether it comes as time goes by, and does not wait.
    """

    name: str
    size_hw: Size
    rate: Fraction
    time_base: Fraction
    colour: Colour
    frames: int | None = None
    sound: Sequence[av.AudioStream] = ()
    live: bool = False


class VideoReader:
    """A video file, a picture sequence (``dir/%04d.png``) or a network stream.

    Iterating yields :class:`Frame` and sound packets in the order of the file. Pictures are upright: a display matrix
    has been applied. A picture that is damaged is reported and yielded as the decoder mended it; in place of one that
    cannot be decoded at all the one before is yielded again, so that as many come out as are in the file.

    Args:
        source: path or URL.
        with_sound: whether packets of sound are wanted.
        stream: number that the frames are to carry.

    Raises:
        UserError: it does not exist, is no video, or is damaged beyond opening.
    """

    def __init__(self, source: str | Path, with_sound: bool = True, stream: int = 0) -> None:
        self._name = str(source)
        self._stream = stream
        self._container = _open(self._name)
        self._video = self._container.streams.video[0]
        self._video.thread_type = "AUTO"
        self._sound = tuple(self._container.streams.audio) if with_sound else ()
        self.damaged = 0
        self._errors = 0
        self._expected: list[int] = []
        self._last: Frame | None = None
        self._last_pts = 0
        self._items = self._read()
        self._ahead: deque[Item] = deque()
        self.info = self._describe(self._first_frame())

    def __iter__(self) -> Iterator[Item]:
        while self._ahead:
            yield self._ahead.popleft()
        yield from self._items

    def frames(self) -> Iterator[Frame]:
        """Yield the pictures alone."""
        return (item for item in self if isinstance(item, Frame))

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _first_frame(self) -> Frame:
        for item in self._items:
            self._ahead.append(item)
            if isinstance(item, Frame):
                return item
        raise UserError(f"{self._name}: no picture of this video can be decoded.")

    def _describe(self, first: Frame) -> VideoInfo:
        rate = self._video.average_rate or self._video.guessed_rate or _DEFAULT_RATE
        frames = self._video.frames or None
        seconds = _seconds(self._container, self._video)
        if frames is None and seconds:
            frames = round(seconds * rate)
        return VideoInfo(
            self._name,
            first.size_hw,
            rate,
            first.picture.time_base or Fraction(1, 90000),
            first.colour,
            frames,
            self._sound,
            self._name.startswith(_LIVE),
        )

    def _read(self) -> Iterator[Item]:
        for packet in self._packets():
            if packet.stream.type == "audio":
                if packet.dts is not None:  # without: the mark of the end, which decoders want and muxers do not
                    yield packet
            else:
                yield from self._pictures(packet)
        if self._last is not None:
            yield from self._lost_before(None)
        if self.damaged:
            logger.warning("%s: %d damaged pictures, all passed on", self._name, self.damaged)

    def _packets(self) -> Iterator[av.Packet]:
        demuxed = self._container.demux([self._video, *self._sound])
        while True:
            try:
                yield next(demuxed)
            except StopIteration:
                return
            except OSError as error:
                # Network streams end so when the sender hangs up; a file that breaks off leaves what came before.
                logger.info("%s: ends here (%s)", self._name, _reason(error))
                return
            except av.FFmpegError as error:
                self._report(f"the file is damaged: {_reason(error)}")
                return

    def _pictures(self, packet: av.Packet) -> Iterator[Frame]:
        if packet.pts is not None and not packet.is_discard:
            heapq.heappush(self._expected, packet.pts)
        try:
            pictures = packet.decode()
        except av.FFmpegError as error:
            self._errors += 1
            self._report(f"a picture near {_position(packet)} cannot be decoded ({_reason(error)})")
            return
        for picture in pictures:
            yield from self._arrange(picture)

    def _arrange(self, picture: av.VideoFrame) -> Iterator[Frame]:
        """Yield a decoded picture, and before it the last one for each that was lost since."""
        corrupt = picture.is_corrupt
        turned = upright_planar(picture)
        turned.pict_type = 0  # else the encoder would repeat the source's choice of key frames
        if turned.pts is None:
            turned.pts = self._next_tick()
        yield from self._lost_before(turned.pts)
        if corrupt:
            self._report(f"the picture at {_clock(Frame(turned).seconds)} is damaged")
        if self._last is not None and turned.pts <= self._last_pts:
            turned.pts = self._last_pts + 1  # players and encoders refuse times that stand still
        yield self._remember(turned)

    def _lost_before(self, pts: int | None) -> Iterator[Frame]:
        """Yield the last picture again for each one due before ``pts`` that an error has swallowed."""
        while self._expected and (pts is None or self._expected[0] <= pts):
            due = heapq.heappop(self._expected)
            if due == pts or not self._errors or self._last is None or due <= self._last_pts:
                continue
            self._errors -= 1
            yield self._remember(copy_at(self._last.picture, due))

    def _next_tick(self) -> int:
        """Return a time for a picture without one: raw streams have none, only a rate."""
        if self._last is None:
            return 0
        rate = self._video.average_rate or self._video.guessed_rate or _DEFAULT_RATE
        return self._last_pts + max(1, round(1 / (rate * (self._last.picture.time_base or 1))))

    def _remember(self, picture: av.VideoFrame) -> Frame:
        self._last, self._last_pts = Frame(picture, self._stream), picture.pts or 0
        return self._last

    def _report(self, what: str) -> None:
        self.damaged += 1
        if self.damaged <= 5:
            logger.warning("%s: %s; it is passed on", self._name, what)
        elif self.damaged == 6:
            logger.warning("%s: more damage; the number is told at the end", self._name)


def _open(name: str) -> av.container.InputContainer:
    try:
        container = av.open(name, metadata_errors="replace")
    except FileNotFoundError:
        raise UserError(f"{name}: the file does not exist.") from None
    except (av.FFmpegError, OSError) as error:
        raise UserError(
            f"{name}: this is no video that can be read ({_reason(error)}). Give a video, numbered pictures such as "
            "frames/%04d.png, or the address of a stream."
        ) from error
    if not container.streams.video:
        container.close()
        raise UserError(f"{name}: there are no pictures in this file.")
    return container


def _reason(error: OSError | av.FFmpegError) -> str:
    """Return FFmpeg's words without its number, which means nothing to anybody."""
    return str(error.strerror or error)


def _seconds(container: av.container.InputContainer, video: av.VideoStream) -> Fraction | None:
    """Return the length that the file states for its pictures, or for all of it."""
    if video.duration and video.time_base:
        return video.duration * video.time_base
    return Fraction(container.duration, av.time_base) if container.duration else None


def _position(packet: av.Packet) -> str:
    moment = packet.pts if packet.pts is not None else packet.dts
    return _clock(moment * (packet.time_base or 1)) if moment is not None else "its end"


def _clock(seconds: float | Fraction) -> str:
    minutes, rest = divmod(float(seconds), 60)
    return f"{int(minutes)}:{rest:05.2f}"
