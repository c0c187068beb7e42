"""Clips to judge masks on: videos, folders of frames with labels, and made-up people who jump and move fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from paddle_portrait.errors import UserError

_LONGEST = 384  # pixels of the longer side: flicker at the edges is seen there as well, at a fifth of the cost
_EVENT_HW = (144, 256)
_FPS = 25
_BEFORE, _AFTER, _MOVING = 8, 16, 5  # frames


@dataclass
class Clip:
    """Frames, and what is known of them.

    Attributes:
        name: for tables.
        frames: uint8 H×W×3.
        labels: float32 H×W in [0, 1] for each frame; empty where there is no truth.
        events: first frame of what is to be reacted to, by name.
    """

    name: str
    frames: list[np.ndarray]
    labels: list[np.ndarray] = field(default_factory=list)
    events: Mapping[str, int] = field(default_factory=dict)


def video_clip(path: str | Path, most: int) -> Clip:
    """Read the first ``most`` frames of a video."""
    from paddle_portrait.video.reader import VideoReader

    reader = VideoReader(path, with_sound=False)
    frames = []
    for frame in reader.frames():
        frames.append(_reduced(frame.rgb()))
        if len(frames) == most:
            break
    reader.close()
    return Clip(Path(path).stem, frames)


def labelled_clip(folder: str | Path, most: int) -> Clip:
    """Read the first ``most`` frames of ``folder/images``, each with the mask of its name in ``folder/masks``.

    Raises:
        UserError: there are none, or a mask is missing.
    """
    from paddle_portrait.preprocess import read_image, read_mask

    images = sorted(Path(folder, "images").glob("*.*"))[:most]
    if not images:
        raise UserError(f"{folder}: a clip with truth is a folder with images/ and masks/; there are no images.")
    clip = Clip(Path(folder).name, [])
    for image in images:
        mask = Path(folder, "masks", f"{image.stem}.png")
        if not mask.is_file():
            raise UserError(f"{mask}: the mask of {image.name} is missing.")
        raw = read_mask(mask)
        clip.frames.append(_reduced(read_image(image)))
        clip.labels.append(_reduced((raw / (255 if raw.max() > 1 else 1)).astype(np.float32)))
    return clip


def cut_clip() -> Clip:
    """Return one made-up person, then another who stands elsewhere."""
    from paddle_portrait.data.synthesis.video import TalkingPerson

    shown = []
    for seed, aside, count in ((3, -0.18, _BEFORE), (5, 0.18, _AFTER)):
        scene = TalkingPerson(seed, _EVENT_HW)
        shown += [scene.at(step / _FPS, aside) for step in range(count)]
    return Clip("cut", [frame for frame, _ in shown], [alpha for _, alpha in shown], {"cut": _BEFORE})


def fast_move_clip() -> Clip:
    """Return a made-up person who crosses a third of the picture in five frames and stops there."""
    from paddle_portrait.data.synthesis.video import TalkingPerson

    scene = TalkingPerson(3, _EVENT_HW)
    shown = []
    for step in range(_BEFORE + _AFTER):
        gone = np.clip((step - _BEFORE + 1) / _MOVING, 0, 1)
        shown.append(scene.at(step / _FPS, -0.17 + 0.34 * float(gone)))
    return Clip("fast_move", [frame for frame, _ in shown], [alpha for _, alpha in shown], {"fast_move": _BEFORE})


def _reduced(picture: np.ndarray) -> np.ndarray:
    scale = _LONGEST / max(picture.shape[:2])
    return picture if scale >= 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
