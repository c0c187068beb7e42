"""Pictures for people: overlays, contact sheets, curves and replaced backgrounds."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from paddle_portrait.errors import UserError

PERSON_COLOR = (38, 166, 255)

_PAPER = (255, 255, 255)
_INK = (30, 30, 30)
_GAP = 8
_TEXT_SIZE = 13
_TEXT_LINE = 20
_BLOCK_ROWS = 256


def overlay(
    image_rgb: np.ndarray,
    person_prob: np.ndarray,
    color: tuple[int, int, int] = PERSON_COLOR,
    strength: float = 0.5,
) -> np.ndarray:
    """Tint the person in an image.

    Args:
        image_rgb: uint8 (H, W, 3).
        person_prob: (H, W) in [0, 1]; float, bool, or an integer 0/1 mask.
        color: RGB of the tint, 0 to 255.
        strength: how much of the tint a sure person gets, 0 to 1.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ValueError: sizes or types do not fit, or ``strength`` is outside [0, 1].
    """
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"strength is {strength}; it must be from 0 to 1")
    tint = np.broadcast_to(np.asarray(color, np.uint8), (*image_rgb.shape[:2], 3))
    return blend(tint, image_rgb, person_prob, strength)


def replace_background(image_rgb: np.ndarray, person_prob: np.ndarray, background_rgb: np.ndarray) -> np.ndarray:
    """Put the person of an image before another background, which is scaled and cropped to cover the image.

    Args:
        image_rgb: uint8 (H, W, 3).
        person_prob: (H, W) in [0, 1].
        background_rgb: uint8 (h, w, 3) of any size.

    Returns:
        uint8 (H, W, 3).
    """
    covered = cover(_as_rgb(background_rgb), image_rgb.shape[0], image_rgb.shape[1])
    return blend(image_rgb, covered, person_prob, 1.0)


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray]],
    titles: Sequence[str],
    cell_hw: tuple[int, int] = (192, 192),
    captions: Sequence[str | Sequence[str]] | None = None,
) -> np.ndarray:
    """Lay pictures out in a labelled grid, each fitted into its cell without distortion.

    Args:
        rows: the pictures of each row: uint8 grey (H, W), RGB or RGBA (drawn on a checkerboard);
            bool or float pictures are taken as [0, 1]. A row may be shorter than the others.
        titles: one heading a column; an empty sequence leaves the heading line out.
        cell_hw: height and width of a cell in pixels.
        captions: one line of text under each row, shortened to fit; several texts share the width of the row.

    Returns:
        uint8 (H, W, 3) RGB.

    Raises:
        ValueError: there are no pictures, or the number of captions is not that of the rows.
    """
    columns = max([len(titles), *(len(row) for row in rows)], default=0)
    if not rows or not columns:
        raise ValueError("a contact sheet needs at least one picture")
    if captions is not None and len(captions) != len(rows):
        raise ValueError(f"{len(captions)} captions for {len(rows)} rows")
    cell_h, cell_w = cell_hw
    head = _TEXT_LINE if titles else 0
    row_step = cell_h + _GAP + (_TEXT_LINE if captions is not None else 0)
    sheet = np.full((_GAP + head + len(rows) * row_step, _GAP + columns * (cell_w + _GAP), 3), _PAPER, np.uint8)
    texts = [(_GAP + c * (cell_w + _GAP), _GAP // 2, cell_w, title) for c, title in enumerate(titles)]
    for r, row in enumerate(rows):
        top = _GAP + head + r * row_step
        for c, picture in enumerate(row):
            _paste_fitted(sheet, picture, top, _GAP + c * (cell_w + _GAP), cell_h, cell_w)
        if captions is not None:
            texts += _caption_texts(captions[r], top + cell_h + 2, sheet.shape[1] - _GAP)
    return _write_texts(sheet, texts)


def save_curves(series: Mapping[str, Sequence[tuple[float, float]]], path: str | Path) -> None:
    """Draw one panel for each series of (step, value) and save them as one picture.

    Args:
        series: name of the curve to its points; points that are not finite leave a gap, empty curves are left out.
        path: the picture to write; its suffix (png, svg, pdf) chooses the format.

    Raises:
        UserError: no series has a point.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = {name: np.asarray(points, np.float64) for name, points in series.items() if len(points)}
    if not drawn:
        raise UserError(f"no curve to draw for {path}: nothing has been logged yet")
    columns = min(3, len(drawn))
    lines = math.ceil(len(drawn) / columns)
    figure = Figure(figsize=(4.8 * columns, 3.2 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel, (name, points) in zip(panels, drawn.items(), strict=False):
        panel.plot(points[:, 0], points[:, 1], linewidth=1.4, marker="o" if len(points) < 25 else None, markersize=3)
        panel.set_title(name)
        panel.set_xlabel("iteration")
        panel.grid(alpha=0.3)
    for panel in panels[len(drawn) :]:
        panel.set_visible(False)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def blend(front: np.ndarray, back: np.ndarray, alpha: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Lay ``front`` over ``back``; by blocks of rows, so that a huge photo needs no float copy of itself.

    Args:
        front: uint8 (H, W, 3).
        back: uint8 (H, W, 3).
        alpha: (H, W), how much of ``front`` is seen; clipped to [0, 1].
        strength: factor of ``alpha``, 0 to 1.

    Returns:
        uint8 (H, W, 3), rounded once.
    """
    if back.dtype != np.uint8 or back.ndim != 3 or back.shape[2] != 3:
        raise ValueError(f"an image must be uint8 (H, W, 3), not {back.dtype} {back.shape}")
    if front.shape != back.shape or alpha.shape != back.shape[:2]:
        raise ValueError(f"sizes differ: image {back.shape}, other image {front.shape}, probability {alpha.shape}")
    result = np.empty_like(back)
    for top in range(0, len(back), _BLOCK_ROWS):
        block = slice(top, top + _BLOCK_ROWS)
        weight = np.clip(alpha[block].astype(np.float32), 0.0, 1.0)[..., None] * np.float32(strength)
        base = back[block].astype(np.float32)
        result[block] = np.rint(base + weight * (front[block].astype(np.float32) - base)).astype(np.uint8)
    return result


def cover(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale an image, uint8 (h, w, 3), until it covers (height, width), then crop its middle."""
    scale = max(height / image.shape[0], width / image.shape[1])
    scaled_w, scaled_h = max(width, round(image.shape[1] * scale)), max(height, round(image.shape[0] * scale))
    scaled = cv2.resize(image, (scaled_w, scaled_h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (scaled_h - height) // 2, (scaled_w - width) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])


def _as_rgb(picture: np.ndarray) -> np.ndarray:
    """Turn a grey, RGB, RGBA or [0, 1] picture into uint8 (H, W, 3)."""
    if picture.dtype != np.uint8:
        picture = np.rint(np.clip(np.nan_to_num(picture.astype(np.float32)), 0.0, 1.0) * 255).astype(np.uint8)
    if picture.ndim == 2:
        return np.repeat(picture[..., None], 3, axis=2)
    if picture.ndim == 3 and picture.shape[2] == 1:
        return np.repeat(picture, 3, axis=2)
    if picture.ndim == 3 and picture.shape[2] == 4:
        return blend(picture[..., :3], _checkerboard(*picture.shape[:2]), picture[..., 3] / np.float32(255), 1.0)
    if picture.ndim == 3 and picture.shape[2] == 3:
        return picture
    raise ValueError(f"a picture must be (H, W), (H, W, 3) or (H, W, 4), not {picture.shape}")


def _checkerboard(height: int, width: int, square: int = 12) -> np.ndarray:
    dark = (np.arange(height)[:, None] // square + np.arange(width)[None] // square) % 2
    return np.repeat(np.where(dark == 1, 200, 240).astype(np.uint8)[..., None], 3, axis=2)


def _paste_fitted(sheet: np.ndarray, picture: np.ndarray, top: int, left: int, height: int, width: int) -> None:
    """Draw ``picture`` into ``sheet``, scaled to fit its cell and centred in it."""
    scale = min(height / picture.shape[0], width / picture.shape[1])
    h, w = max(1, round(picture.shape[0] * scale)), max(1, round(picture.shape[1] * scale))
    # Scaled before it is composited: the squares behind a transparent cut-out then keep their size.
    small = picture.astype(np.float32) if picture.dtype != np.uint8 else picture
    small = cv2.resize(small, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    y, x = top + (height - h) // 2, left + (width - w) // 2
    sheet[y : y + h, x : x + w] = _as_rgb(small)


def _caption_texts(caption: str | Sequence[str], top: int, row_width: int) -> list[tuple[int, int, int, str]]:
    parts = [caption] if isinstance(caption, str) else list(caption)
    width = row_width // max(1, len(parts))
    return [(_GAP + number * width, top, width - _GAP, text) for number, text in enumerate(parts)]


def _write_texts(sheet: np.ndarray, texts: Sequence[tuple[int, int, int, str]]) -> np.ndarray:
    """Write (x, y, width, text) entries on a picture, each shortened in its middle to its width."""
    if not texts:
        return sheet
    from PIL import Image, ImageDraw

    canvas = Image.fromarray(sheet)
    draw = ImageDraw.Draw(canvas)
    font = _font()
    for x, y, width, text in texts:
        shown, kept = text, len(text)
        while draw.textlength(shown, font=font) > width and kept > 2:
            # File names differ at their ends, so both ends stay.
            kept -= 1
            shown = f"{text[: kept // 2]}…{text[len(text) - (kept - kept // 2) :]}"
        draw.text((x, y), shown, fill=_INK, font=font)
    return np.asarray(canvas).copy()


def _font() -> Any:
    """Return the font of matplotlib, which knows accents, Greek and Cyrillic; Pillow's own knows ASCII alone."""
    from PIL import ImageFont

    package = importlib.util.find_spec("matplotlib")
    for folder in (package and package.submodule_search_locations) or ():
        file = Path(folder) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if file.is_file():
            return ImageFont.truetype(str(file), _TEXT_SIZE)
    return ImageFont.load_default(_TEXT_SIZE)
