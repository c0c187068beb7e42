"""``tools/benchmark.py``: latency, memory, load time and operators' shares of exported models."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from paddle_portrait.console import run_command


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Measure exported models on this machine: latency (of the graph alone, all in turns), memory, load "
        "time, and the operators' shares by the runtime's own profiler."
    )
    add = parser.add_argument
    add("models", nargs="+", metavar="DIR", help="exported directories or zoo names")
    add("--backend", nargs="+", default=["all"], metavar="NAME", help="back ends, commas too (default: all that run)")
    add("--threads", default="1", metavar="N,N", help="threads of one call (default: 1)")
    add("--turns", type=int, default=30, help="how often each is called in turn (default: 30)")
    add("--json", metavar="FILE", help="write the figures to FILE; - for standard output, without the table")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _benchmark(arguments))


def _benchmark(arguments: argparse.Namespace) -> int:
    import json
    from dataclasses import asdict
    from pathlib import Path

    from paddle_portrait.errors import UserError
    from paddle_portrait.inference.benchmark import as_table, benchmark

    if arguments.turns < 1:
        raise UserError(f"--turns must be 1 or more, not {arguments.turns}.")
    try:
        threads = [int(count) for count in arguments.threads.split(",")]
    except ValueError:
        raise UserError(f"--threads '{arguments.threads}': give whole numbers with commas, such as 1,2.") from None
    backends = [name for part in arguments.backend for name in part.split(",") if name]
    figures = benchmark(arguments.models, backends, threads, arguments.turns)
    text = json.dumps([asdict(entry) for entry in figures], indent=1)
    if arguments.json == "-":
        print(text)
        return 0
    print(as_table(figures))
    if arguments.json:
        path = Path(arguments.json)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
