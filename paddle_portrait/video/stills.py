"""The same for pictures: effect and background on photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from paddle_portrait.console import logger, track
from paddle_portrait.effects import Effect, Refiner
from paddle_portrait.errors import UserError
from paddle_portrait.inference import Predictor
from paddle_portrait.inference.inputs import SUFFIXES, InputImage
from paddle_portrait.preprocess import read_image, write_image
from paddle_portrait.preprocess.geometry import resize


def draw_pictures(
    images: Sequence[InputImage],
    predictor: Predictor,
    effect: Effect,
    background: np.ndarray | None,
    targets: Sequence[Path],
    refiners: Sequence[Refiner] = (),
    hard: bool = False,
) -> int:
    """Draw ``effect`` on each picture and write it; one that cannot be read is reported, and the rest goes on.

    Args:
        images: what to work on.
        predictor: the model.
        effect: what is drawn.
        background: uint8 h×w×3 of any size, for effects that need one.
        targets: a file for each picture.
        refiners: applied at the size at which the network sees the picture, as in videos.
        hard: cut masks at one half.

    Returns:
        How many pictures failed.
    """
    failed = 0
    for image, target in track(list(zip(images, targets, strict=True)), "pictures"):
        try:
            picture = read_image(image.path)
            person = _refined(picture, predictor(picture), predictor, refiners)
            if hard:
                person = (person > 0.5).astype(np.float32)
            write_image(target, effect(picture, person, background))
        except UserError as error:
            logger.error("%s", image.told(error))
            failed += 1
    return failed


def background_picture(path: str | None) -> np.ndarray | None:
    """Return a background for photos: a picture, or the first one of a video.

    Raises:
        UserError: it cannot be read.
    """
    if path is None:
        return None
    if Path(path).suffix.lower() in SUFFIXES - {".gif"}:
        return read_image(path)
    from paddle_portrait.video.backgrounds import VideoBackground  # needs PyAV, which photos do not

    return VideoBackground(path).first_rgb()


def _refined(picture: np.ndarray, person: np.ndarray, predictor: Predictor, refiners: Sequence[Refiner]) -> np.ndarray:
    if not refiners:
        return person
    seen_hw = predictor.seen_hw((picture.shape[0], picture.shape[1]))
    small, small_person = resize(picture, seen_hw), resize(person, seen_hw)
    for refine in refiners:
        small_person = refine(small, small_person)
    return resize(small_person, person.shape)
