"""Checking the arrays that users hand to effects, once, so that the functions behind need not."""

from __future__ import annotations

from typing import Any

import numpy as np

from paddle_portrait.errors import UserError


def checked_image(image: Any, what: str) -> np.ndarray:
    """Return ``image`` where it is uint8 H×W×3 and not empty.

    Raises:
        UserError: it is not; the message calls it ``what``.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise UserError(f"{what} is {_describe(image)}; it must be uint8 of shape (height, width, 3), RGB.")
    if not image.size:
        raise UserError(f"{what} is empty: shape {image.shape}.")
    return np.ascontiguousarray(image)


def checked_person(person_prob: Any, size_hw: tuple[int, ...]) -> np.ndarray:
    """Return the probability as float32 inside [0, 1].

    Raises:
        UserError: it is no floating-point array of ``size_hw``, or holds values that are not numbers.
    """
    if (
        not isinstance(person_prob, np.ndarray)
        or not np.issubdtype(person_prob.dtype, np.floating)
        or person_prob.shape != tuple(size_hw)
    ):
        raise UserError(
            f"the person probability is {_describe(person_prob)}; it must be floating point (float32 is best), from "
            f"0 to 1, of shape {tuple(size_hw)}."
        )
    person = np.ascontiguousarray(person_prob, np.float32)
    low, high = float(person.min()), float(person.max())
    if np.isnan(low):
        raise UserError("the person probability holds values that are not numbers (NaN).")
    return person if low >= 0.0 and high <= 1.0 else np.clip(person, 0.0, 1.0)


def _describe(value: Any) -> str:
    return f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
