"""A notice of Paddle's about nothing, kept out of the terminal.

With the first sum or product that a process traces, Paddle's C++ core writes "Paddle static graph(PIR) not support
input out tensor for now": its own Python functions hand on an argument ``out`` that nobody gave. No flag turns off that
notice alone.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from typing import Any

_NOTICE = b"not support input out tensor"


@cache
def spend_out_notice() -> None:
    """Let Paddle give its notice now, for a sum of no use, where nobody hears it; it comes once a process."""
    import paddle

    spec = [paddle.static.InputSpec([1], "float32")]
    without_lines(_NOTICE, lambda: paddle.jit.to_static(_double, input_spec=spec, full_graph=True).concrete_program)


def without_lines(unwanted: bytes, work: Callable[[], Any]) -> None:
    """Do ``work``, and pass on what the process writes to its standard error meanwhile but lines with ``unwanted``."""
    try:
        terminal = os.dup(2)
    except OSError:  # a program without standard error: nobody hears anything
        work()
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), 2)
        try:
            work()
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            heard.seek(0)
            for line in heard:
                if unwanted not in line:
                    os.write(2, line)


def _double(x: Any) -> Any:
    return x + x
