"""Processor time of one training step of each operator, Paddle's own against the kernels, on one thread.

The shapes are those of the portrait networks at batch 8. The two sides take turns, so that other work on the machine
hits both; a figure is the median over the turns of forward plus backward. Paddle's own side also keeps freed memory
(see paddle_portrait/kernels/memory.py): the gain of that is measured apart, on whole steps.
"""

from __future__ import annotations

import argparse

from _record import record


def main() -> None:
    """Measure every case and write benchmarks/results/kernel_ops.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=9, help="measurements of each side (default %(default)s)")
    parser.add_argument("--only", default="", help="measure the operators whose name contains this, write nothing")
    arguments = parser.parse_args()
    from _kernel_cases import run

    figures = run(arguments.turns, arguments.only)
    if not arguments.only:
        record("kernel_ops", figures)


if __name__ == "__main__":
    main()
