"""Processor time of one training step of each operator, Paddle's own against the kernels, on one thread.

The shapes are those of the portrait networks at batch 8. The two sides take turns, so that other work on the machine
hits both; a figure is the median over the turns of forward plus backward. Paddle's own side also keeps freed memory
(see paddle_portrait/kernels/memory.py): the gain of that is measured apart, on whole steps. Writes a table of
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from _page import write_between
from _record import RESULTS, record

NAME = "kernel_ops"


def table(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    lines = ["| operator, channels, side | stock, ms | kernels, ms | times as fast |", "|---|---|---|---|"]
    for name, entry in figures.items():
        lines.append(f"| {name} | {entry['stock_ms']:.2f} | {entry['kernel_ms']:.2f} | {entry['ratio']:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure every case, record, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=9, help="measurements of each side (default %(default)s)")
    parser.add_argument("--only", default="", help="measure the operators whose name contains this, write nothing")
    parser.add_argument("--table", action="store_true", help="write the table alone, from the figures that are there")
    arguments = parser.parse_args()
    if not arguments.table:
        from _kernel_cases import run

        figures = run(arguments.turns, arguments.only)
        if arguments.only:
            return
        record(NAME, figures)
    figures = json.loads((RESULTS / f"{NAME}.json").read_text(encoding="utf-8"))["figures"]
    print(f"written: {write_between('benchmarks.md', f'{NAME}.py', table(figures))}")


if __name__ == "__main__":
    main()
