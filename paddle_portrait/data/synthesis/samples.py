"""The single sample files beside the data set: a portrait, a background, and two videos."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from paddle_portrait.console import logger
from paddle_portrait.data.synthesis.portrait import render_empty_room, render_portrait
from paddle_portrait.data.synthesis.video import write_background_video, write_video
from paddle_portrait.errors import UserError

# Of all that the generator draws, these make good examples: a clear face, a bright view, a lively room.
_PORTRAIT, _BACKGROUND, _VIDEO = 8, 11, 11


def _keep_or_write(path: Path, write: Callable[[], None]) -> None:
    if path.is_file() and path.stat().st_size:
        logger.info("%s is there already: kept", path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write()
    logger.info("%s written", path)


def _save_jpeg(path: Path, image: np.ndarray) -> None:
    _, code = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 93])
    path.write_bytes(code.tobytes())


def write_images(folder: str | Path, seed: int = 0) -> None:
    """Write human_image.jpg, a portrait that is in no generated data set, and background.jpg; kept when there."""
    folder = Path(folder)
    portrait, background = folder / "human_image.jpg", folder / "background.jpg"
    rng = np.random.default_rng([seed, 20, _PORTRAIT])
    _keep_or_write(portrait, lambda: _save_jpeg(portrait, render_portrait(rng, (800, 600))[0]))
    rng = np.random.default_rng([seed, 21, _BACKGROUND])
    _keep_or_write(background, lambda: _save_jpeg(background, render_empty_room(rng, (600, 800))))


def write_videos(folder: str | Path, seed: int = 0, required: bool = True) -> None:
    """Write video_test.mp4 (a moving portrait with sound) and background.mp4; kept when there.

    Raises:
        UserError: PyAV is not installed and the videos are ``required``; otherwise that is only logged.
    """
    if importlib.util.find_spec("av") is None:
        lack = "video_test.mp4 and background.mp4 need PyAV, which is not installed: pip install av"
        if required:
            raise UserError(lack)
        logger.warning("%s", lack)
        return
    folder = Path(folder)
    portrait, background = folder / "video_test.mp4", folder / "background.mp4"
    _keep_or_write(portrait, lambda: write_video(portrait, seed + _VIDEO))
    _keep_or_write(background, lambda: write_background_video(background, seed))
