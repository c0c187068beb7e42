"""Where this package keeps what it can make again: compiled kernels, measurements of this machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

CACHE_VARIABLE = "PADDLE_PORTRAIT_CACHE"


def cache_directory() -> Path:
    """Return the per-user cache, ``$PADDLE_PORTRAIT_CACHE`` or ``~/.cache/paddle_portrait``; it need not exist."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "paddle_portrait"


def processor() -> str:
    """Return the processor's model and instruction sets: what is made or measured here holds for these only."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"{platform.processor()} {platform.machine()}"
    wanted = ("vendor_id", "cpu family", "model", "model name", "flags", "Features")
    return "\n".join(sorted({line for line in lines if line.split(":")[0].strip() in wanted}))
