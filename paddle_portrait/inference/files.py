"""Segmenting files: four pictures for each input, and no input that stops the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from paddle_portrait.console import logger, track
from paddle_portrait.errors import UserError
from paddle_portrait.inference.inputs import InputImage
from paddle_portrait.pictures import PERSON_COLOR, overlay
from paddle_portrait.preprocess import read_image, write_image

Colour = tuple[int, int, int]

FOLDERS = ("probability", "mask", "overlay", "cutout")


@dataclass
class PredictionSummary:
    """What became of each input.

    Attributes:
        written: inputs whose pictures are there.
        failed: the others, with the reason.
    """

    written: list[Path] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Drawing:
    """A picture to be made of each input.

    Attributes:
        draw: maps the image, uint8 H×W×3, and its probability to uint8 H×W×3 or H×W×4.
        suffix: of the files, such as ``".jpg"``.
    """

    draw: Callable[[np.ndarray, np.ndarray], np.ndarray]
    suffix: str


def predict_files(
    predict: Callable[[np.ndarray], np.ndarray],
    images: Sequence[InputImage],
    save_dir: Path,
    colours: tuple[Colour, Colour] | None = None,
    drawing: Drawing | None = None,
) -> PredictionSummary:
    """Segment pictures and write the results, each at its input's size and the right way up.

    Written under ``save_dir``: ``probability/NAME.png`` (grey, 255 is a sure person), ``mask/NAME.png`` (grey
    0 or 255, or in ``colours``), ``overlay/NAME.jpg``, ``cutout/NAME.png`` (RGBA), and ``effect/NAME`` of ``drawing``.

    Args:
        predict: maps uint8 H×W×3 RGB to the person probability, float32 H×W.
        images: what to segment; one that cannot be read is reported, and the rest goes on.
        save_dir: made where it is missing.
        colours: RGB of background and person.
        drawing: one more picture of each.
    """
    summary = PredictionSummary()
    for image in track(images, "predict", total=len(images)):
        try:
            _predict_one(predict, image, save_dir, colours, drawing)
        except UserError as error:
            reason = image.told(error)
            logger.error("%s", reason)
            summary.failed[image.path] = reason
        else:
            summary.written.append(image.path)
    return summary


def parse_colours(values: Sequence[int] | None) -> tuple[Colour, Colour] | None:
    """Return the colours of background and person from PaddleSeg's flat list R G B R G B.

    Raises:
        UserError: not six numbers from 0 to 255.
    """
    if values is None:
        return None
    if len(values) != 6 or not all(0 <= value <= 255 for value in values):
        raise UserError(
            f"--custom_color {' '.join(map(str, values))}: give six numbers from 0 to 255, "
            "R G B of the background, then R G B of the person."
        )
    return (values[0], values[1], values[2]), (values[3], values[4], values[5])


def _predict_one(
    predict: Callable[[np.ndarray], np.ndarray],
    image: InputImage,
    save_dir: Path,
    colours: tuple[Colour, Colour] | None,
    drawing: Drawing | None,
) -> None:
    """Segment one picture. Each result is written and dropped before the next is made: photos can be huge."""
    picture = read_image(image.path)
    probability = predict(picture)
    mask = np.where(probability > 0.5, np.uint8(255), np.uint8(0))
    write_image(_target(save_dir, "mask", image, ".png"), mask if colours is None else _coloured(mask, colours))
    del mask
    tint = PERSON_COLOR if colours is None else colours[1]
    write_image(_target(save_dir, "overlay", image, ".jpg"), overlay(picture, probability, tint))
    if drawing is not None:
        write_image(_target(save_dir, "effect", image, drawing.suffix), drawing.draw(picture, probability))
    alpha = cv2.convertScaleAbs(probability, alpha=255.0)
    del probability
    write_image(_target(save_dir, "probability", image, ".png"), alpha)
    write_image(_target(save_dir, "cutout", image, ".png"), np.dstack([picture, alpha]))


def _target(save_dir: Path, folder: str, image: InputImage, suffix: str) -> Path:
    return save_dir / folder / f"{image.name}{suffix}"


def _coloured(mask: np.ndarray, colours: tuple[Colour, Colour]) -> np.ndarray:
    table = np.array(colours, np.uint8)
    return table[mask // 255]
