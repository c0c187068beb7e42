"""What a process of the server keeps of the memory that it has freed."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Blocks of 1 MiB are freed at the end of the memory; what stays resident beyond the start is printed, in MiB.
KEPT = """
import sys
import numpy as np
from paddle_portrait.serving.memory import keep_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20

if sys.argv[1] == "keep":
    keep_freed_memory()
before = resident()
blocks = [np.ones(size * 2**20, np.uint8) for size in eval(sys.argv[2])]
del blocks
print(resident() - before)
"""


def kept(mode: str, sizes: list[int]) -> float:
    """Return the MiB that a new process keeps of blocks of so many MiB each."""
    command = [sys.executable, "-c", KEPT, mode, repr(sizes)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_small_blocks_are_kept_and_large_ones_are_given_back() -> None:
    small, large = [1] * 8, [16] * 4
    assert kept("leave", small) < 4
    assert kept("keep", small) > 6
    assert kept("keep", large) < 4
