"""Paddle's notice about an argument that nobody gave stays out of an export's output, and nothing else does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from paddle_portrait.export.out_notice import without_lines

TRACE = """
import paddle
from paddle_portrait.export.out_notice import spend_out_notice
spend_out_notice()
def product(x):
    return x * x - x
spec = [paddle.static.InputSpec([1, 2], "float32")]
print(len(paddle.jit.to_static(product, input_spec=spec, full_graph=True).concrete_program.outputs))
"""


def test_a_traced_product_says_nothing(tmp_path) -> None:  # type: ignore[no-untyped-def]
    script = tmp_path / "trace.py"  # Paddle reads the source of what it traces
    script.write_text(TRACE, encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
    assert "out tensor" not in done.stderr


def test_other_lines_are_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        os.write(2, b"one\nW1 an unwanted thing\ntwo\n")

    without_lines(b"unwanted", work)
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "one\ntwo\nafter\n"


def test_what_was_written_before_an_error_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        os.write(2, b"one\n")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        without_lines(b"unwanted", work)
    assert capfd.readouterr().err == "one\n"
