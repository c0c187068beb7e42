"""Writes ``report.json`` and ``report.html``: one file each that needs no other."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paddle_portrait.engine.evaluator import EvalReport, worst_first
from paddle_portrait.errors import UserError
from paddle_portrait.report.charts import histogram, line_chart
from paddle_portrait.report.figures import FIGURES, present
from paddle_portrait.report.gallery import INVENTED_RGB, MISSED_RGB, TITLES, Exhibit

TEMPLATE = Path(__file__).with_name("page.html.j2")

_TILES = ("miou", "person_iou", "boundary_iou", "pixel_accuracy", "mae")
_HISTOGRAMS = ("person_iou", "boundary_iou")
_CAPTIONS = ("person_iou", "boundary_iou", "mae", "warping_error")
_CURVES = ("miou", "person_iou", "boundary_iou")  # of the evaluations during the training
_NOT_DRAWN = ("iteration", "epoch")
_TABLE_ROWS = 500


@dataclass(frozen=True)
class Surroundings:
    """What a report says beside the figures.

    Attributes:
        title: the network's name.
        data: the set's name.
        date: when it was judged, ISO 8601.
        about: facts by name: config, weights, device, command, …
        final_card: the model card that records this look, for a split marked final; else None.
        history_file: the training's record, or None.
        history: its rows (see :mod:`paddle_portrait.engine.history`).
    """

    title: str
    data: str
    date: str
    about: Mapping[str, Any]
    final_card: str | None = None
    history_file: str | None = None
    history: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def write_json(report: EvalReport, surroundings: Surroundings, path: Path) -> None:
    """Write the summary's figures at the top level, ``about`` and ``rows`` (one an image); null for NaN.

    Raises:
        UserError: the file cannot be written.
    """
    content = {
        **report.summary,
        "seconds": round(report.seconds, 3),
        "network_seconds": round(report.network_seconds, 3),
        "date": surroundings.date,
        "about": dict(surroundings.about),
        "rows": report.rows,
    }
    _write(path, json.dumps(_without_nan(content), indent=1, ensure_ascii=False) + "\n")


def write_html(
    report: EvalReport, surroundings: Surroundings, worst: Sequence[Exhibit], median: Sequence[Exhibit], path: Path
) -> None:
    """Write the report as one HTML file with its pictures inside.

    Raises:
        UserError: the file cannot be written.
    """
    _write(path, render(report, surroundings, worst, median))


def render(report: EvalReport, surroundings: Surroundings, worst: Sequence[Exhibit], median: Sequence[Exhibit]) -> str:
    """Return the report as HTML. All text is escaped; only the charts are markup."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    summary = report.summary
    keys = {key for row in report.rows for key in row}
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        title=surroundings.title,
        data=surroundings.data,
        date=surroundings.date,
        about=surroundings.about,
        final=surroundings.final_card,
        images=len(report.rows),
        tiles=[(figure, value) for figure, value in present(summary) if figure.key in _TILES],
        figures=present(summary),
        histograms=_histograms(report),
        history_file=surroundings.history_file,
        curves=_curves(surroundings.history),
        galleries=[("The worst images", worst), ("Images around the median", median)],
        picture_titles=TITLES,
        captions=[figure for figure in FIGURES if figure.key in keys and figure.key in _CAPTIONS],
        row_figures=[figure for figure in FIGURES if figure.key in keys],
        rows=worst_first(report.rows)[:_TABLE_ROWS],
        invented=INVENTED_RGB,
        missed=MISSED_RGB,
    )


def _histograms(report: EvalReport) -> list[tuple[str, Any]]:
    titles = {figure.key: figure.title for figure in FIGURES}
    charts = [(titles[key], histogram(titles[key], [row[key] for row in report.rows])) for key in _HISTOGRAMS]
    return [(title, _markup(chart)) for title, chart in charts if chart]


def _curves(history: Sequence[Mapping[str, Any]]) -> list[tuple[str, Any]]:
    """Return charts of the training's scores, then of its losses and learning rate, where they have two points."""
    titles = {figure.key: f"{figure.title} on the validation set" for figure in FIGURES} | {"lr": "learning rate"}
    series: dict[str, list[tuple[float, float]]] = {titles[key]: [] for key in _CURVES}
    for row in history:
        for key, value in row.items():
            shown = key in _CURVES if row.get("kind") == "eval" else key not in _NOT_DRAWN
            if shown and isinstance(value, (int, float)):
                series.setdefault(titles.get(key, key), []).append((row["iteration"], float(value)))
    return [(name, _markup(line_chart(name, points))) for name, points in series.items() if len(points) > 1]


def _markup(chart: str) -> Any:
    from markupsafe import Markup

    return Markup(chart)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(path: Path, text: str) -> None:
    staging = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging.write_text(text, encoding="utf-8")
        os.replace(staging, path)
    except OSError as error:
        raise UserError(f"cannot write the report '{path}': {error.strerror}. Choose another --save_dir.") from None
