"""Freed memory stays with the process: a training step frees and takes the same hundreds of megabytes again.

glibc hands large blocks back to the system at once, and every step then pays for fresh pages: about a sixth of a
step of PP-HumanSeg-Lite on a CPU. Peak memory does not change.
"""

from __future__ import annotations

import ctypes
import platform

# From <malloc.h>.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell the allocator not to return memory; return whether this C library can be told (glibc only)."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    # Both or neither: with one alone the large blocks still go.
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST) and mallopt(_TRIM_THRESHOLD, _LARGEST))
