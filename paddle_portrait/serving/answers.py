"""From a person probability to the bytes of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from paddle_portrait.effects import to_alpha

# Each row as its difference to the one above, in runs: half the time of trying every filter row by row, which OpenCV
# does otherwise, and masks come out smaller, photos 2 % larger. OpenCV before 4.12 cannot be told the filter.
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
if hasattr(cv2, "IMWRITE_PNG_FILTER"):
    _PNG += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]
_LOSSLESS = 101  # OpenCV's word for WebP without loss
RAW_TYPES = {"uint8": np.uint8, "float16": np.float16, "float32": np.float32}
MEDIA = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}
RAW_MEDIA = "application/octet-stream"


@dataclass(frozen=True)
class Answer:
    """What is sent.

    Attributes:
        body: bytes.
        media: type of the content.
        headers: further ones.
    """

    body: bytes
    media: str
    headers: Mapping[str, str] = field(default_factory=dict)


def encode_picture(picture: np.ndarray, file_format: str, quality: int) -> Answer:
    """Encode uint8 H×W (always without loss), H×W×3 RGB or H×W×4 RGBA as a PNG, WebP or JPEG file."""
    grey = picture.ndim == 2
    if not grey:
        order = cv2.COLOR_RGB2BGR if picture.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        picture = cv2.cvtColor(picture, order)
    settings = {
        "png": _PNG,
        "webp": [cv2.IMWRITE_WEBP_QUALITY, _LOSSLESS if grey else quality],
        "jpeg": [cv2.IMWRITE_JPEG_QUALITY, quality],
    }[file_format]
    _, encoded = cv2.imencode(f".{file_format}", picture, settings)
    return Answer(encoded.tobytes(), MEDIA[file_format])


def encode_mask(person: np.ndarray, file_format: str, threshold: float | None) -> Answer:
    """Encode a probability, float H×W, as a grey picture; with a threshold in 0 and 255 alone."""
    mask = to_alpha(person) if threshold is None else np.where(person >= threshold, np.uint8(255), np.uint8(0))
    return encode_picture(mask, file_format, 100)


def raw_probabilities(person: np.ndarray, dtype: str) -> Answer:
    """Send a probability row by row, little-endian; uint8 stands for 255 steps. The size is in headers."""
    values = to_alpha(person) if dtype == "uint8" else person.astype(RAW_TYPES[dtype])
    height, width = person.shape
    headers = {"X-Mask-Height": str(height), "X-Mask-Width": str(width), "X-Mask-Type": dtype}
    return Answer(values.tobytes(), RAW_MEDIA, headers)
