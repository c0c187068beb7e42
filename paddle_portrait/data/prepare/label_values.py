"""From the annotations of others to masks: polygons, run lengths, alpha channels, label values."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from paddle_portrait.errors import UserError

PERSON, IGNORED = 1, 255


def fill_polygon(corners: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Return the pixels whose centres lie in a polygon (even-odd rule), bool H×W.

    Args:
        corners: N×2 of x, y; the upper left pixel reaches from 0, 0 to 1, 1.
        size_hw: height and width; the polygon may reach beyond.
    """
    height, width = size_hw
    changes = np.zeros((height, width + 1), np.int64)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        (x0, y0), (x1, y1) = sorted(((x0, y0), (x1, y1)), key=lambda corner: corner[1])
        rows = np.arange(max(0, int(np.ceil(y0 - 0.5))), min(height, int(np.ceil(y1 - 0.5))))
        crossing = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        np.add.at(changes, (rows, np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.int64)), 1)
    return np.cumsum(changes[:, :width], axis=1) % 2 == 1


def decode_runs(counts: str | bytes | Sequence[int], size_hw: tuple[int, int]) -> np.ndarray:
    """Return COCO's run lengths, compressed or not, as bool H×W.

    Runs of zeros and ones alternate, down the columns. Compressed ones are text: 5 bits a character, the lowest
    first, the sixth bit says that more follow, and from the fourth number on the difference to the number two before.

    Raises:
        UserError: the runs do not fill the picture.
    """
    runs = _decompress(counts) if isinstance(counts, str | bytes) else [int(count) for count in counts]
    height, width = size_hw
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise UserError(f"run lengths of {sum(runs)} pixels for a picture of {width}x{height} = {width * height}.")
    values = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return np.ascontiguousarray(values.reshape(width, height).T)


def read_alpha(content: bytes | Path) -> np.ndarray:
    """Return the alpha channel of a picture as uint8 H×W.

    Raises:
        UserError: it cannot be read or has no alpha channel.
    """
    try:
        data = content if isinstance(content, bytes) else content.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            if "A" not in image.getbands() and "transparency" not in image.info:
                raise UserError(f"the picture has no alpha channel (mode {image.mode})")
            return np.asarray(image.convert("RGBA"))[..., 3].copy()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"the picture cannot be decoded ({error})") from error


def _decompress(text: str | bytes) -> list[int]:
    runs: list[int] = []
    number = shift = 0
    for character in text.encode("ascii") if isinstance(text, str) else text:
        bits = character - 48
        number |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            number -= 1 << shift
        runs.append(number + runs[-2] if len(runs) > 2 else number)
        number = shift = 0
    return runs
