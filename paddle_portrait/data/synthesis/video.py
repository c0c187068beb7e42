"""Moving pictures: a person who talks, turns and waves, with a melody; and places without people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from paddle_portrait.console import track
from paddle_portrait.data.synthesis.canvas import Canvas, Frame
from paddle_portrait.data.synthesis.figure import draw_person
from paddle_portrait.data.synthesis.light import sample_light
from paddle_portrait.data.synthesis.outdoors import outdoors
from paddle_portrait.data.synthesis.person import Pose, sample_person
from paddle_portrait.data.synthesis.rooms import blurred, room

_SAMPLE_RATE = 44100
_NOTES = (261.63, 329.63, 392.0, 523.25, 392.0, 329.63, 293.66, 349.23, 440.0, 587.33, 440.0, 349.23)


def pose_at(seconds: float) -> Pose:
    """Return the pose of the person in a video: head and mouth move all the time, an arm waves now and then."""
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * np.clip((seconds - 2.0) / 3.0, 0, 1))
    blink = 1.0 - np.exp(-(((seconds % 2.7 - 1.3) / 0.07) ** 2))
    return Pose(
        yaw=0.38 * np.sin(1.1 * seconds),
        pitch=0.09 * np.sin(1.7 * seconds + 1),
        roll=0.08 * np.sin(0.9 * seconds + 2),
        lean=0.04 * np.sin(0.8 * seconds),
        turn=0.22 * np.sin(0.7 * seconds),
        smile=0.35 + 0.3 * np.sin(0.9 * seconds),
        mouth_open=max(0.0, 0.35 * np.sin(9 * seconds) * np.sin(2.3 * seconds)),
        eyes_open=float(blink),
        gaze=0.2 * np.sin(0.6 * seconds),
        arms=("down", "wave" if wave > 0.02 else "down"),
        arm_swing=(0.1, 0.3 * np.sin(7 * seconds) * wave),
        hand_spread=(0.5, float(wave)),
    )


class TalkingPerson:
    """A person in a room, to be looked at at any moment.

    Args:
        seed: chooses person, room and light.
        size_hw: height and width of the pictures.
    """

    def __init__(self, seed: int, size_hw: tuple[int, int]) -> None:
        rng = np.random.default_rng([seed, 11])
        self._size_hw = size_hw
        self._person, self._light = sample_person(rng), sample_light(rng)
        place = blurred(room(rng, size_hw).astype(np.float32), 0.006 * max(size_hw), False)
        self._place = np.clip(place, 0, 1)
        self._grain = rng.normal(0, 2.5, (*size_hw, 1)).astype(np.float32)

    def at(self, t: float, aside: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Return the picture, uint8 H×W×3, ``t`` seconds after the start, and the person's opacity, float32 H×W.

        Args:
            t: seconds.
            aside: how far to the right of their place they stand, in widths of the picture.
        """
        (height, width), pose = self._size_hw, pose_at(t)
        head = 0.38 * min(height, 1.3 * width)
        canvas = Canvas(self._place)
        x = width * (0.5 + aside + 0.02 * np.sin(0.8 * t))
        frame = Frame(head * (1 + 0.015 * np.sin(0.5 * t)), pose.lean, (float(x), 0.14 * height + 0.5 * head))
        draw_person(canvas, frame, self._person, pose, self._light)
        noise = np.roll(self._grain, (int(t * 1000) * 7 % height, int(t * 1000) * 13 % width), (0, 1))
        return np.clip(canvas.rgb * 255 + noise, 0, 255).astype(np.uint8), np.clip(canvas.alpha, 0, 1)


def melody(seconds: float) -> np.ndarray:
    """Return a tune as float32 (samples,) in [-1, 1] at 44.1 kHz."""
    t = np.arange(int(seconds * _SAMPLE_RATE)) / _SAMPLE_RATE
    note = np.array(_NOTES)[(t * 4).astype(int) % len(_NOTES)]
    decay = np.exp(-3.0 * np.mod(t, 0.25) * 4 / 2)
    phase = 2 * np.pi * np.cumsum(note) / _SAMPLE_RATE
    return (0.3 * decay * (np.sin(phase) + 0.3 * np.sin(2 * phase))).astype(np.float32)


def _encode(
    path: Path,
    picture_at: Callable[[float], np.ndarray],
    seconds: float,
    fps: int,
    size_hw: tuple[int, int],
    sound: bool,
) -> None:
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "21", "threads": "1"})
        stream.height, stream.width, stream.pix_fmt = *size_hw, "yuv420p"
        audio = container.add_stream("aac", rate=_SAMPLE_RATE, layout="mono") if sound else None
        count = round(seconds * fps)
        for index in track(range(count), f"frames of {path.name}", count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture_at(index / fps), format="rgb24")))
        container.mux(stream.encode())
        if audio is not None:
            block = av.AudioFrame.from_ndarray(melody(seconds)[None], format="fltp", layout="mono")
            block.sample_rate, block.pts = _SAMPLE_RATE, 0
            container.mux(audio.encode(block))
            container.mux(audio.encode())


def write_video(
    path: str | Path, seed: int = 0, seconds: float = 6.0, fps: int = 25, size_hw: tuple[int, int] = (360, 640)
) -> None:
    """Write a person who talks, turns and waves in a room: H.264 with a melody as AAC sound.

    Args:
        path: an .mp4 file; its folder is made.
        seed: chooses person, room and light.
        seconds: length.
        fps: frames in a second.
        size_hw: height and width, even numbers; either may be the longer one.
    """
    scene = TalkingPerson(seed, size_hw)
    _encode(Path(path), lambda t: scene.at(t)[0], seconds, fps, size_hw, sound=True)


def write_background_video(
    path: str | Path, seed: int = 0, seconds: float = 4.0, fps: int = 25, size_hw: tuple[int, int] = (360, 640)
) -> None:
    """Write a slow pan over a place without people: H.264 without sound."""
    rng = np.random.default_rng([seed, 12])
    height, width = size_hw
    wide = (outdoors(rng, (height, round(width * 1.3)))).astype(np.float32)
    view = (np.clip(wide, 0, 1) * 255).astype(np.uint8)

    def picture_at(t: float) -> np.ndarray:
        shift = np.array([[1, 0, -0.3 * width * t / seconds], [0, 1, 0]], np.float32)
        return cv2.warpAffine(view, shift, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    _encode(Path(path), picture_at, seconds, fps, size_hw, sound=False)
