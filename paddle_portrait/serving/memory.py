"""What becomes of memory that a request has used."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of glibc's malloc.h
_KEPT, _LARGE = 16 * 2**20, 4 * 2**20


def keep_freed_memory() -> None:
    """Keep freed memory for the next request; only blocks of 4 MiB and more go back to the system at once.

    By itself glibc gives back what a picture took, and the next one has the system clear hundreds of pages anew. What a
    thread then keeps has no fixed bound: 16 MiB is that of the free end of its memory, and holes before the end, which
    later blocks fill, come on top.

    Elsewhere than on Linux with glibc this does nothing. (Training keeps all that it frees: ``kernels.memory``, which
    needs Paddle; a server must not.)
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_MMAP_THRESHOLD, _LARGE)
