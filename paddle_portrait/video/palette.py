"""Pictures of 256 colours, as GIF wants them, one of which may be nothing at all."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from PIL import Image

_CLEAR_BELOW = 128


def to_palette(picture: av.VideoFrame) -> av.VideoFrame:
    """Return a picture with a palette of its own; where opacity is below one half it is transparent."""
    if picture.format.name != "rgba":
        indices, colours = _quantised(picture.to_ndarray(format="rgb24"), 256)
    else:
        rgba = picture.to_ndarray()
        indices, colours = _quantised(rgba[..., :3], 255)
        indices = np.where(rgba[..., 3] < _CLEAR_BELOW, np.uint8(255), indices)
    palette = np.zeros((256, 4), np.uint8)
    palette[: len(colours), 0] = 255  # opaque; FFmpeg's palettes are A, R, G, B
    palette[: len(colours), 1:] = colours
    pair: Any = (indices, palette)  # the one format for which PyAV takes a pair
    return av.VideoFrame.from_ndarray(pair, format="pal8")


def _quantised(rgb: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    image = Image.fromarray(np.ascontiguousarray(rgb)).quantize(most, method=Image.Quantize.FASTOCTREE)
    colours = np.array(image.getpalette(), np.uint8).reshape(-1, 3)[:most]
    return np.asarray(image), colours
