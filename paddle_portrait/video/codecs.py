"""Which encoder, pixel format and options a file gets: by its suffix, a codec's name, and whether it is transparent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paddle_portrait.errors import UserError, describe_unknown

# Fragments, written out at once, leave a playable file whenever the process dies; at the end they become a plain file.
_KILL_SAFE = {"movflags": "hybrid_fragmented+delay_moov", "frag_duration": "1000000", "flush_packets": "1"}
# A plain file needs an index of all its pictures, which grows in memory: 1 kB each. Long recordings stay in fragments.
_FRAGMENTS_ONLY = {"movflags": "frag_keyframe+delay_moov+default_base_moof"}
_FLUSHED = {"flush_packets": "1"}
_CLUSTERED = {"flush_packets": "1", "cluster_time_limit": "1000"}


@dataclass(frozen=True)
class Codec:
    """An encoder and how it is set up.

    Attributes:
        encoder: FFmpeg's name.
        pixels: pixel format that it is given.
        options: its own options.
        even: whether it takes even widths and heights only.
    """

    encoder: str
    pixels: str
    options: Mapping[str, str] = field(default_factory=dict)
    even: bool = False

    def __str__(self) -> str:
        options = " ".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.encoder} {options}".strip()


_VP9 = {"deadline": "realtime", "cpu-used": "7", "row-mt": "1", "crf": "30", "b": "0"}
CODECS = {
    # Frames side by side: PyAV's default, slices of one frame, keeps a core waiting for the other's slice.
    "h264": Codec("libx264", "yuv420p", {"preset": "veryfast", "crf": "20", "thread_type": "frame"}, even=True),
    "vp9": Codec("libvpx-vp9", "yuv420p", _VP9),
    "av1": Codec("libsvtav1", "yuv420p", {"preset": "10", "crf": "30", "svtav1-params": "lp=2"}, even=True),
    "prores": Codec("prores_ks", "yuv422p10le", {"profile": "hq"}),
    "gif": Codec("gif", "pal8"),
    "apng": Codec("apng", "rgb24", {"pred": "mixed"}),
    "webp": Codec("libwebp_anim", "bgra", {"quality": "80"}),
}
TRANSPARENT = {
    "vp9": Codec("libvpx-vp9", "yuva420p", {**_VP9, "auto-alt-ref": "0"}),
    "prores": Codec("prores_ks", "yuva444p10le", {"profile": "4444"}),
    "gif": CODECS["gif"],
    "apng": Codec("apng", "rgba", {"pred": "mixed"}),
    "webp": CODECS["webp"],
}


@dataclass(frozen=True)
class Container:
    """A kind of file.

    Attributes:
        codecs: what it holds; the first is taken when none is named.
        transparent: the ones of which it holds transparent pictures, too.
        options: of the muxer.
        format: FFmpeg's name where the suffix does not say it.
        sound: whether it holds any.
        long_options: of the muxer, over the others, for recordings that are long or of unknown length.
    """

    codecs: tuple[str, ...]
    transparent: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    format: str | None = None
    sound: bool = True
    long_options: Mapping[str, str] = field(default_factory=dict)


CONTAINERS = {
    ".mp4": Container(("h264", "av1", "vp9"), (), _KILL_SAFE, long_options=_FRAGMENTS_ONLY),
    ".mov": Container(("h264", "prores"), ("prores",), _KILL_SAFE, long_options=_FRAGMENTS_ONLY),
    ".mkv": Container(("h264", "vp9", "av1", "prores"), ("vp9", "prores"), _CLUSTERED),
    ".webm": Container(("vp9", "av1"), ("vp9",), _CLUSTERED),
    ".ts": Container(("h264",), (), _FLUSHED, "mpegts"),
    ".gif": Container(("gif",), ("gif",), {**_FLUSHED, "loop": "0"}, sound=False),
    ".apng": Container(("apng",), ("apng",), {**_FLUSHED, "plays": "0"}, sound=False),
    ".webp": Container(("webp",), ("webp",), {**_FLUSHED, "loop": "0"}, "webp", sound=False),
}


def container_of(target: str | Path) -> Container:
    """Return the kind of file that a name means.

    Raises:
        UserError: an unknown suffix.
    """
    suffix = Path(target).suffix.lower()
    if suffix not in CONTAINERS:
        raise UserError(
            f"{target}: videos cannot be written as '{suffix}'. Choose {', '.join(CONTAINERS)}, "
            "or a name without a suffix: a folder of PNG files."
        )
    return CONTAINERS[suffix]


def choose_codec(target: str | Path, container: Container, name: str | None, transparent: bool) -> Codec:
    """Return the codec for a file, by name or the container's first that can do it.

    Raises:
        UserError: an unknown name, one that the container does not hold, or no transparency in it.
    """
    if name is not None and name not in CODECS:
        raise UserError(describe_unknown("codec", name, CODECS))
    if name is not None and name not in container.codecs:
        raise UserError(f"{target}: such a file holds {', '.join(container.codecs)}, not '{name}'.")
    held = container.transparent if transparent else container.codecs
    fitting = [codec for codec in held if name in (None, codec)]
    if not fitting:
        raise UserError(
            f"{target}: this cannot hold transparency. Write .webm (VP9), .mov (ProRes 4444), .webp, .apng, .gif, "
            "or a folder of PNG files (a name without a suffix)."
        )
    return (TRANSPARENT if transparent else CODECS)[fitting[0]]
