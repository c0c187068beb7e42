"""The pictures of a report: an image, its label, the answer and where the two differ."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from paddle_portrait.engine.evaluator import Judged, Row, judge_one, worst_first
from paddle_portrait.engine.inferring import PredictOptions
from paddle_portrait.metrics import IGNORE_INDEX, hard_label
from paddle_portrait.pictures import overlay

if TYPE_CHECKING:
    import paddle

    from paddle_portrait.data.datasets.base import PortraitDataset
    from paddle_portrait.data.sample import Sample

TITLES = ("Image", "Label", "Prediction", "Error")
# Told apart by people of any colour vision (Okabe and Ito), and by lightness in a grey print.
INVENTED_RGB = (240, 160, 30)
MISSED_RGB = (0, 90, 200)
IGNORED_RGB = (128, 128, 128)

_LONGEST_SIDE = 360
_JPEG_QUALITY = 85


@dataclass(frozen=True)
class Exhibit:
    """One image of the gallery.

    Attributes:
        row: its row of the evaluation.
        pictures: data URIs of JPEG pictures, in the order of ``TITLES``.
    """

    row: Row
    pictures: tuple[str, ...]


def choose_rows(rows: Sequence[Row], count: int, key: str = "person_iou") -> tuple[list[Row], list[Row]]:
    """Return the ``count`` worst rows and the ``count`` around the median, none of them twice."""
    ordered = worst_first(rows, key)
    worst = ordered[:count]
    start = max(len(worst), (len(ordered) - count) // 2)
    return worst, ordered[start : start + count]


def make_exhibits(
    model: paddle.nn.Layer, dataset: PortraitDataset, rows: Sequence[Row], options: PredictOptions | None = None
) -> list[Exhibit]:
    """Run the network again on the images of ``rows`` and draw them."""
    exhibits = []
    for row in rows:
        sample, judged = judge_one(model, dataset, row["index"], options)
        exhibits.append(Exhibit(row, tuple(_data_uri(picture) for picture in draw(sample, judged))))
    return exhibits


def draw(sample: Sample, judged: Judged) -> tuple[np.ndarray, ...]:
    """Return uint8 RGB pictures in the order of ``TITLES``."""
    if sample.label is None:
        raise ValueError(f"{sample.path} has no label")
    label = np.where(sample.label == IGNORE_INDEX, 0, sample.label)
    if label.dtype.kind != "f":
        label = label != 0
    return (
        sample.image,
        overlay(sample.image, label),
        overlay(sample.image, judged.probability),
        error_picture(sample.image, judged.classes, sample.label),
    )


def error_picture(image_rgb: np.ndarray, classes: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Mark where answer and label differ on a pale grey image.

    Args:
        image_rgb: uint8 H×W×3.
        classes: predicted classes H×W.
        label: H×W; ignored pixels are painted grey.

    Returns:
        uint8 H×W×3: ``INVENTED_RGB`` where the answer sees a person that the label has not, ``MISSED_RGB``
        where it misses one.
    """
    truth = hard_label(label)
    grey = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY)
    picture = np.repeat((160 + grey // 3)[..., None].astype(np.uint8), 3, axis=2)
    ignored = truth == IGNORE_INDEX if truth.dtype != bool else np.zeros(truth.shape, bool)
    picture[(classes != 0) & (truth == 0) & ~ignored] = INVENTED_RGB
    picture[(classes == 0) & (truth != 0) & ~ignored] = MISSED_RGB
    picture[ignored] = IGNORED_RGB
    return picture


def _data_uri(picture: np.ndarray) -> str:
    scale = min(1.0, _LONGEST_SIDE / max(picture.shape[:2]))
    if scale < 1:
        size_wh = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        picture = cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA)
    done, encoded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise RuntimeError("OpenCV could not write a JPEG picture")
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
