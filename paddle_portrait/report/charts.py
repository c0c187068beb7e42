"""Small charts as inline SVG: they take their colours from the page, so that they suit light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np

_WIDTH, _HEIGHT = 360, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 20, 10, 26
_MAX_POINTS = 400


def line_chart(title: str, points: Sequence[tuple[float, float]], x_name: str = "iteration") -> str:
    """Return a curve through ``points`` (x, y) as an SVG element; values that are not finite are left out.

    Long curves are thinned to a few hundred points, each the mean of its stretch.
    """
    finite = np.array([point for point in points if math.isfinite(point[1])], np.float64).reshape(-1, 2)
    if not len(finite):
        return ""
    pieces = np.array_split(finite, min(len(finite), _MAX_POINTS))
    thinned = np.array([piece.mean(axis=0) for piece in pieces])
    x_range, y_range = _spread(thinned[:, 0]), _spread(thinned[:, 1])
    path = " ".join(f"{_x(x, x_range):.1f},{_y(y, y_range):.1f}" for x, y in thinned)
    summary = f"{title}: from {finite[0, 1]:.4g} to {finite[-1, 1]:.4g} over {len(finite)} values"
    dots = ""
    if len(thinned) <= 40:
        dots = "".join(
            f'<circle cx="{_x(x, x_range):.1f}" cy="{_y(y, y_range):.1f}" r="2.5"><title>{x_name} {x:g}: {y:.5g}'
            "</title></circle>"
            for x, y in thinned
        )
    body = _axes(x_range, y_range) + f'<polyline class="curve" points="{path}"/><g class="dots">{dots}</g>'
    return _svg(summary, body)


def histogram(title: str, values: Sequence[float], bins: int = 20) -> str:
    """Return the distribution of ``values`` as an SVG element: bars between the smallest and 1."""
    finite = np.array([value for value in values if math.isfinite(value)], np.float64)
    if not len(finite):
        return ""
    low = min(math.floor(finite.min() * 20) / 20, 0.95)
    counts, edges = np.histogram(finite, bins=bins, range=(low, 1.0))
    y_range = (0.0, float(counts.max()))
    bars = "".join(
        f'<rect class="bar" x="{_x(start, (low, 1.0)) + 0.5:.1f}" y="{_y(count, y_range):.1f}" '
        f'width="{_x(stop, (low, 1.0)) - _x(start, (low, 1.0)) - 1:.1f}" '
        f'height="{_HEIGHT - _BOTTOM - _y(count, y_range):.1f}">'
        f"<title>{start:.3f} to {stop:.3f}: {count} images</title></rect>"
        for count, start, stop in zip(counts, edges[:-1], edges[1:], strict=True)
    )
    summary = f"{title}: {len(finite)} images, median {np.median(finite):.3f}, lowest {finite.min():.3f}"
    return _svg(summary, _axes((low, 1.0), y_range) + bars)


def _svg(summary: str, body: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(summary, quote=True)}">'
        f"{body}</svg>"
    )


def _axes(x_range: tuple[float, float], y_range: tuple[float, float]) -> str:
    lines, labels = [], []
    for value in _ticks(*y_range):
        y = _y(value, y_range)
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        labels.append(f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{value:.4g}</text>')
    for value in _ticks(*x_range):
        labels.append(f'<text x="{_x(value, x_range):.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{value:g}</text>')
    return "".join(lines + labels)


def _ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return about ``count`` round numbers between ``low`` and ``high``."""
    rough = (high - low) / count
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _spread(values: np.ndarray) -> tuple[float, float]:
    """Return the range of ``values``, widened where they are all equal."""
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - max(abs(low) * 0.05, 1e-6), high + max(abs(high) * 0.05, 1e-6))


def _x(value: float, x_range: tuple[float, float]) -> float:
    return _LEFT + (value - x_range[0]) / (x_range[1] - x_range[0]) * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, y_range: tuple[float, float]) -> float:
    return _TOP + (y_range[1] - value) / (y_range[1] - y_range[0]) * (_HEIGHT - _TOP - _BOTTOM)
