"""Converters run in child processes: several of them abort instead of raising."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from paddle_portrait.export.errors import ExportError

_TIMEOUT_S = 900
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_MOST_LINES = 4
# What Paddle prints about every abort, whatever the cause.
_EMPTY_WORDS = re.compile(r"Error Message Summary|FatalError: `Process abort")
_TELLING = re.compile(r"error|unimplemented|not support|unsupported|invalid|must be|fail", re.IGNORECASE)


def run_converter(
    target: str, module: str, arguments: Sequence[str], result: Path, python: Path = Path(sys.executable)
) -> None:
    """Run ``python -m module arguments`` as :func:`run_program` does; ``python`` may be another environment's."""
    run_program(target, [str(python), "-m", module, *arguments], result)


def run_program(target: str, command: Sequence[str], result: Path) -> None:
    """Run ``command`` and make sure that it wrote ``result``.

    It runs in the folder of ``result``: converters leave temporary files where they are started.

    Raises:
        ExportError: it failed, aborted, took too long or wrote nothing; with the line that says why.
    """
    root = str(Path(__file__).resolve().parents[2])
    search_path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            command,
            cwd=result.parent,
            env={**os.environ, "PYTHONPATH": search_path},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise ExportError(f"format {target}: the converter was still busy after {_TIMEOUT_S} s.") from None
    if done.returncode != 0 or not result.is_file() or result.stat().st_size == 0:
        raise ExportError(
            f"format {target}: the converter failed (exit code {done.returncode}): "
            f"{telling_lines(done.stdout + done.stderr)}"
        )


def telling_lines(output: str) -> str:
    """Return those last lines of a converter's output that name what was wrong, else its very last one."""
    lines = [_COLOUR.sub("", line).strip() for line in output.splitlines()]
    lines = [line for line in dict.fromkeys(lines) if line]
    telling = [line for line in lines if _TELLING.search(line) and not _EMPTY_WORDS.search(line)]
    return " | ".join((telling or lines[-1:] or ["it said nothing"])[-_MOST_LINES:])
