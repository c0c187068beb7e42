"""Statistics of the ablation, paired by seed, and the table of docs/recipes.md made from its results."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _record import ROOT

PAGE = ROOT / "docs" / "recipes.md"
BEGIN, END = "<!-- begin: made by benchmarks/ablation.py -->", "<!-- end: made by benchmarks/ablation.py -->"
BASELINE = "baseline"
SCORES = {"miou": "mIoU", "person_iou": "person IoU", "boundary_iou": "boundary IoU"}
FLICKER = {"warping_error": "warping error", "mask_instability": "mask instability", "dtssd": "dtSSD"}
FLICKER_WORDS = {"helps": "more", "hurts": "less", "no": "no change", "open": "open"}
_DIGITS = {"warping_error": 6, "dtssd": 5}

Runs = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Gain:
    """Differences to the baseline over the seeds that both have.

    Attributes:
        mean: mean difference, greater is more than the baseline.
        error: standard error of the mean; NaN for fewer than two seeds.
        pairs: number of seeds.
    """

    mean: float
    error: float
    pairs: int

    @property
    def verdict(self) -> str:
        """Whether more of this measure is there than chance explains: beyond twice the standard error."""
        if math.isnan(self.error):
            return "open"
        if self.mean > 2 * self.error:
            return "helps"
        return "hurts" if self.mean < -2 * self.error else "no"


def paired_gain(row: Runs, baseline: Runs, measure: str) -> Gain:
    """Return the gain of one row in one measure; runs are keyed by seed."""
    differences = [row[seed][measure] - baseline[seed][measure] for seed in row if seed in baseline]
    mean = statistics.fmean(differences) if differences else math.nan
    error = statistics.stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else math.nan
    return Gain(mean, error, len(differences))


def render(figures: Mapping[str, Any]) -> str:
    """Return the Markdown between the markers: scores, flicker, gains, and the final look where there is one."""
    rows: Mapping[str, Runs] = {name: row["seeds"] for name, row in figures["rows"].items() if row["seeds"]}
    parts = [_means(rows, figures["setting"]), _gains(rows), _flicker(rows)]
    if figures.get("final"):
        parts.append(_final(figures["final"]))
    return "\n\n".join(parts)


def write_page(figures: Mapping[str, Any], page: Path = PAGE) -> None:
    """Put the tables between the markers of the page.

    Raises:
        SystemExit: the page lacks the markers.
    """
    text = page.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SystemExit(f"{page} must hold the lines '{BEGIN}' and '{END}' once each.")
    head, rest = text.split(BEGIN)
    page.write_text(f"{head}{BEGIN}\n{render(figures)}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def _means(rows: Mapping[str, Runs], setting: Mapping[str, Any]) -> str:
    title = "picsart/val, {iters} steps of {batch_size} photos; mean ± standard deviation over the seeds:"
    head = ["row", "seeds", *SCORES.values(), "minutes"]
    body = [
        [name, str(len(runs)), *(_spread(runs, measure) for measure in SCORES), f"{_mean(runs, 'seconds') / 60:.1f}"]
        for name, runs in rows.items()
    ]
    return f"{title.format(**setting)}\n\n{_table(head, body)}"


def _flicker(rows: Mapping[str, Runs]) -> str:
    title = "Flicker on the clips, mean over the seeds, and its change against the baseline; less is better:"
    head = ["row", *(text for measure in FLICKER.values() for text in (measure, "change"))]
    body = []
    for name, runs in rows.items():
        cells = []
        for measure in FLICKER:
            cells += [f"{_mean(runs, measure):.{_digits(measure)}f}", _change(runs, rows[BASELINE], measure)]
        body.append([name, *cells])
    return f"{title}\n\n{_table(head, body)}"


def _change(runs: Runs, baseline: Runs, measure: str) -> str:
    if runs is baseline:
        return ""
    gain = paired_gain(runs, baseline, measure)
    return f"{_signed(gain, _digits(measure))}, {FLICKER_WORDS[gain.verdict]}"


def _gains(rows: Mapping[str, Runs]) -> str:
    title = "Gain over the baseline of the same seed ± standard error of the paired differences (n pairs):"
    head = ["row", "n", *(text for measure in SCORES.values() for text in (measure, "helps?"))]
    body = []
    for name, runs in rows.items():
        if name == BASELINE:
            continue
        gains = [paired_gain(runs, rows[BASELINE], measure) for measure in SCORES]
        cells = [text for gain in gains for text in (_signed(gain, 4), gain.verdict)]
        body.append([name, str(gains[0].pairs), *cells])
    return f"{title}\n\n{_table(head, body)}"


def _final(final: Mapping[str, Any]) -> str:
    title = f"eg1800/test, looked at once, with the row `{final['row']}` after everything was chosen:"
    body = [[f"seed {seed}", *(f"{run[m]:.4f}" for m in SCORES)] for seed, run in final["seeds"].items()]
    body.append(["mean", *(f"{_mean(final['seeds'], m):.4f}" for m in SCORES)])
    return f"{title}\n\n{_table(['', *SCORES.values()], body)}"


def _mean(runs: Runs, measure: str) -> float:
    return statistics.fmean(run[measure] for run in runs.values())


def _spread(runs: Runs, measure: str) -> str:
    values = [run[measure] for run in runs.values()]
    return f"{statistics.fmean(values):.4f}" + (f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else "")


def _signed(gain: Gain, digits: int) -> str:
    return f"{gain.mean:+.{digits}f}" + ("" if math.isnan(gain.error) else f" ± {gain.error:.{digits}f}")


def _digits(measure: str) -> int:
    return _DIGITS.get(measure, 4)


def _table(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
