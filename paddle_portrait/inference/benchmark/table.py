"""Figures as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from paddle_portrait.inference.benchmark.latency import Figures
from paddle_portrait.inference.benchmark.profiles import NOT_REACHED, PROFILERS

_SHARES = 5


def as_table(figures: Sequence[Figures]) -> str:
    """Return one row for every model, back end and number of threads, then the operators that take most of the time.

    Back ends of which no operators are known are named last.
    """
    width = max(len(entry.model) for entry in figures)
    head = f"{'model':<{width}}  {'back end':<18} threads  {'p50 ms':>8} {'p95 ms':>8} {'load ms':>8} {'memory MB':>9} "
    lines = [head + f"{'file MB':>8}  runtime"]
    for entry in figures:
        alone = (entry.load_ms, entry.memory_mb)
        load, memory = ("-" if value is None else f"{value:.0f}" for value in alone)
        lines.append(
            f"{entry.model:<{width}}  {entry.backend:<18} {entry.threads:>7}  {entry.p50_ms:>8.2f} "
            f"{entry.p95_ms:>8.2f} {load:>8} {memory:>9} {entry.bytes / 1e6:>8.2f}  {entry.runtime}"
        )
    for entry in figures:
        if entry.shares:
            largest = list(entry.shares.items())[:_SHARES]
            shares = ", ".join(f"{name} {share:.0%}" for name, share in largest)
            lines.append(f"{entry.model} in {entry.backend}: {shares}")
    silent = dict.fromkeys(entry.backend for entry in figures if entry.backend not in PROFILERS)
    if silent:
        lines.append(f"operators' shares in {', '.join(silent)}: {NOT_REACHED}")
    return "\n".join(lines)
