"""The camera: exposure, colour cast, haze, vignette, blur, sharpening, noise, compression."""

from __future__ import annotations

import cv2
import numpy as np

from paddle_portrait.data.synthesis.colours import rgb


def _grade(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Exposure, contrast, saturation and white balance."""
    gain = np.exp(rng.normal(0.11, 0.17))
    cast = np.exp(rng.normal(0, 0.03, 3) + rng.normal(0, 0.055) * np.array([1, 0, -1]))
    saturation = 0.0 if rng.random() < 0.05 else float(np.clip(rng.normal(0.9, 0.18), 0.2, 1.5))
    contrast = float(np.exp(rng.normal(0.05, 0.18)))
    mixing = saturation * np.eye(3) + (1 - saturation) / 3
    mixing = contrast * mixing * (gain * cast)[None]
    offset = np.full((3, 1), 0.5 - 0.5 * contrast)
    return cv2.transform(picture, np.hstack([mixing, offset]).astype(np.float32))


def _filters(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Effects that only some pictures have: haze, a colour film, a vignette, a dark room, light leaks."""
    height, width = picture.shape[:2]
    if rng.random() < 0.1:
        haze = rng.uniform(0.05, 0.3)
        picture = picture * (1 - haze) + haze * rgb(rng.random(), rng.uniform(0, 0.3), rng.uniform(0.5, 1))
    if rng.random() < 0.12:
        picture = picture * (0.55 + 0.55 * rgb(rng.random(), rng.uniform(0.2, 0.8), 1.0))
    if rng.random() < 0.35:
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
        picture = picture * (1 - rng.uniform(0.1, 0.5) * (x * x + y * y) * 0.5)[..., None]
    if rng.random() < 0.07:
        picture = picture * rng.uniform(0.25, 0.6)
    if rng.random() < 0.1:
        corner = (
            np.linspace(1, 0, width, dtype=np.float32)[None, :] * np.linspace(1, 0, height, dtype=np.float32)[:, None]
        )
        leak = corner[:: int(rng.choice([-1, 1])), :: int(rng.choice([-1, 1]))]
        picture = picture + (leak**2)[..., None] * rng.uniform(0.2, 0.8) * rgb(rng.uniform(0.9, 1.2), 0.5, 1.0)
    return picture


def _optics(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Blur of focus and motion, or sharpening with its halos."""
    size = min(picture.shape[:2])
    kind = rng.random()
    if kind < 0.3:
        return cv2.GaussianBlur(picture, (0, 0), size * rng.uniform(0.0018, 0.006))
    if kind < 0.36:
        length = max(3, round(size * rng.uniform(0.01, 0.03)))
        kernel = np.zeros((length, length), np.float32)
        direction = rng.random() * np.pi
        middle, dx, dy = (length - 1) / 2, np.cos(direction) * length / 2, np.sin(direction) * length / 2
        start, end = (round(middle - dx), round(middle - dy)), (round(middle + dx), round(middle + dy))
        cv2.line(kernel, start, end, 1.0)
        return cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    if kind < 0.55:
        return picture + rng.uniform(0.2, 1.0) * (picture - cv2.GaussianBlur(picture, (0, 0), max(0.6, size * 0.004)))
    return picture


def photograph(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Turn a scene, float32 (H, W, 3), into a photo, uint8 (H, W, 3). Nothing moves: the alpha stays exact."""
    picture = _optics(rng, _filters(rng, _grade(rng, picture)))
    grain = rng.standard_normal(picture.shape[:2], np.float32)[..., None] * abs(rng.normal(0, 0.01))
    if rng.random() < 0.5:
        small = rng.standard_normal((picture.shape[0] // 2 + 1, picture.shape[1] // 2 + 1, 3), np.float32)
        coarse = cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        grain = grain + coarse * abs(rng.normal(0, 0.012))
    photo = np.clip((picture + grain) * 255.0 + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(35, 92))
        _, code = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, quality])
        photo = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return photo
