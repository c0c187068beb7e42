"""Checks of transforms' arguments; every message names the transform, the argument and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence

from paddle_portrait.errors import UserError

Range = tuple[float, float]


def probability(owner: str, argument: str, value: float, most: float = 1) -> float:
    """Check that ``value``, a probability or share, lies in 0..``most``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        raise UserError(f"{owner}: {argument} must be a number from 0 to {most:g}, got {value!r}.")
    return value


def not_negative(owner: str, argument: str, value: float) -> float:
    """Check that ``value`` is a number from 0 on."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise UserError(f"{owner}: {argument} must be 0 or more, got {value!r}.")
    return value


def check_range(owner: str, low_name: str, low: float, high_name: str, high: float) -> None:
    """Check that ``0 < low <= high``."""
    if not 0 < low <= high:
        raise UserError(f"{owner}: needs 0 < {low_name} <= {high_name}, got {low} and {high}.")


def number_range(owner: str, argument: str, value: Sequence[float], low: float, high: float) -> Range:
    """Check that ``value`` is ``[a, b]`` with ``low <= a <= b <= high`` and return it as a tuple."""
    is_pair = isinstance(value, (list, tuple)) and len(value) == 2
    numbers = is_pair and all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in value)
    if not numbers or not low <= value[0] <= value[1] <= high:
        raise UserError(
            f"{owner}: {argument} must be a list [lowest, highest] within {low:g} to {high:g}, got {value!r}."
        )
    return value[0], value[1]
