"""Sound on its way past the pictures: copied packet by packet, or re-encoded where the container cannot hold it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import av

from paddle_portrait.console import logger

_OPUS_RATE = 48000
# What FFmpeg does not tell of these containers; of FLV it tells more than receivers take.
_UNLISTED = {
    "mpegts": {"aac", "mp3", "mp2", "ac3", "eac3", "opus"},
    "rtsp": {"aac", "mp3", "opus"},
    "flv": {"aac", "mp3"},
}


class SoundTrack(Protocol):
    """One sound stream of an output file."""

    def take(self, packet: av.Packet) -> Iterator[av.Packet]:
        """Yield the packets to be written for one packet of the source."""
        ...

    def finish(self) -> Iterator[av.Packet]:
        """Yield what is left at the end."""
        ...


class CopiedTrack:
    """The source's packets, bytes and times untouched."""

    def __init__(self, container: av.container.OutputContainer, source: av.AudioStream) -> None:
        self._stream = container.add_stream_from_template(source)

    def take(self, packet: av.Packet) -> Iterator[av.Packet]:
        """Yield the packet itself, addressed to the output."""
        owner, packet.stream = packet.stream, self._stream
        times = packet.pts, packet.dts, packet.time_base
        yield packet
        packet.stream = owner  # another output may want it too
        packet.time_base = times[2]
        packet.pts, packet.dts = times[:2]

    def finish(self) -> Iterator[av.Packet]:
        """Yield nothing: a copy holds nothing back."""
        return iter(())


class EncodedTrack:
    """Decoded and encoded again, its times kept."""

    def __init__(self, container: av.container.OutputContainer, source: av.AudioStream, encoder: str) -> None:
        rate = _OPUS_RATE if encoder == "libopus" else source.rate
        layout = "stereo" if source.layout.nb_channels >= 2 else "mono"
        self._source = source
        self._stream: Any = container.add_stream(encoder, rate=rate, layout=layout)
        self._resampler: av.AudioResampler | None = None
        self._rate, self._layout = rate, layout

    def take(self, packet: av.Packet) -> Iterator[av.Packet]:
        """Decode one packet and yield what the encoder has ready."""
        try:
            frames: list[Any] = list(packet.decode())
        except av.FFmpegError as error:
            logger.warning("a piece of the sound cannot be decoded and is left out (%s)", error)
            return
        for frame in frames:
            yield from self._encode(frame)

    def finish(self) -> Iterator[av.Packet]:
        """Yield the encoder's last packets."""
        if self._resampler is not None:
            yield from self._encode(None)
        yield from self._stream.encode(None)

    def _encode(self, frame: av.AudioFrame | None) -> Iterator[av.Packet]:
        if self._resampler is None:
            context = self._stream.codec_context
            self._resampler = av.AudioResampler(
                context.format, self._layout, self._rate, frame_size=context.frame_size or None
            )
        for piece in self._resampler.resample(frame):
            yield from self._stream.encode(piece)


def add_tracks(container: av.container.OutputContainer, sources: Sequence[av.AudioStream]) -> dict[int, SoundTrack]:
    """Give an output the sound streams of a source; returns them by the source's stream index."""
    return {source.index: _add_track(container, source) for source in sources}


def _add_track(container: av.container.OutputContainer, source: av.AudioStream) -> SoundTrack:
    codec, kind = source.codec_context.codec.canonical_name, container.format.name
    held = _UNLISTED.get(kind, container.supported_codecs)
    if codec in held:
        return CopiedTrack(container, source)
    encoder = "aac" if "aac" in held else "libopus"
    logger.warning("%s holds no %s sound; it is encoded again as %s", kind, codec, encoder.removeprefix("lib"))
    return EncodedTrack(container, source, encoder)
