"""Laying a person over another picture."""

from __future__ import annotations

import cv2
import numpy as np

from paddle_portrait.pictures import blend


def to_alpha(person: np.ndarray) -> np.ndarray:
    """Return a probability, float32 H×W, as opacity, uint8 H×W: rounded (halves to even), clipped at 0 and 255."""
    # A tenth of the time of cv2.multiply, which goes through double. The first step is for what is below 0: the second
    # takes it without its sign.
    _, positive = cv2.threshold(person, 0.0, 0.0, cv2.THRESH_TOZERO)
    return cv2.convertScaleAbs(positive, alpha=255.0)


def blend_uint8(front: np.ndarray, back: np.ndarray, alpha: np.ndarray, target: np.ndarray | None = None) -> np.ndarray:
    """Lay ``front`` over ``back`` in 8-bit arithmetic.

    Two saturating multiplications: 1 ms for 720p RGB on one core, where numpy in floating point takes 13. Rounds twice,
    so that a value may be one level off; 0 and 255 give back the one or the other exactly.

    Args:
        front: uint8 H×W or H×W×C; a luma or chroma plane as well as a picture.
        back: the same shape.
        alpha: uint8 H×W, 255 is all ``front``.
        target: where the result goes, uint8 of the same shape; rows may lie apart, as in a part of a picture.

    Returns:
        uint8 of the same shape: ``target`` where it is given.
    """
    if front.ndim == 3 and front.shape[2] > 1:
        alpha = cv2.merge([alpha] * front.shape[2])
    behind = cv2.multiply(back, cv2.bitwise_not(alpha), scale=1 / 255)
    seen = cv2.multiply(front, alpha, target, 1 / 255)
    return cv2.add(seen, behind, seen).reshape(front.shape)


def alpha_blend(image: np.ndarray, person: np.ndarray, background: np.ndarray, accurate: bool = False) -> np.ndarray:
    """Lay the person of ``image`` over ``background``: image·person + background·(1 - person).

    Args:
        image: uint8 H×W×3.
        person: float32 H×W in [0, 1].
        background: uint8 H×W×3.
        accurate: floating point, rounded once, in place of 8-bit arithmetic, which may be one level off.

    Returns:
        uint8 H×W×3.
    """
    if accurate:
        return blend(image, background, person)
    return blend_uint8(image, background, to_alpha(person))
