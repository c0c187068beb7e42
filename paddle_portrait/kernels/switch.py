"""Whether the kernels are wanted, and the library itself: loaded once, or not at all and the reason logged once."""

from __future__ import annotations

from functools import lru_cache

from paddle_portrait.console import logger
from paddle_portrait.errors import UserError, describe_unknown

MODES = ("auto", "on", "off")
_mode = "auto"


def use_kernels(mode: str) -> None:
    """Say whether trainings on a CPU use the kernels: for the whole process, from the next layer call on.

    Args:
        mode: ``auto`` uses them where they can be built and takes Paddle's own otherwise; ``on`` makes it an
            error when they cannot be built; ``off`` never uses them.

    Raises:
        UserError: an unknown mode, or ``on`` on a machine that cannot build them.
    """
    global _mode
    if mode not in MODES:
        raise UserError(describe_unknown("kernel mode", str(mode), MODES))
    _mode = mode
    if mode == "on" and not _load():
        raise UserError(f"the CPU kernels were asked for ('on') but {why_not()}. Set them to 'auto' or 'off'.")


def kernel_mode() -> str:
    """Return the mode last given to :func:`use_kernels`; ``auto`` at first."""
    return _mode


def kernels_ready() -> bool:
    """Return whether the kernels are wanted and loaded, building them when this is the first question."""
    return _mode != "off" and _load()


def why_not() -> str | None:
    """Return why the kernels cannot be used on this machine, or None when they can."""
    return _load_library()


def _load() -> bool:
    return _load_library() is None


@lru_cache(maxsize=1)
def _load_library() -> str | None:
    """Register the operators with Paddle; return None, or in words why that is impossible."""
    from paddle.base import core
    from paddle.utils.cpp_extension.extension_utils import load_op_meta_info_and_register_op

    from paddle_portrait.kernels.build import BuildError, built_library

    if not core.is_compiled_with_avx():
        reason = "they are known to be quicker on x86 with AVX only"
    else:
        try:
            load_op_meta_info_and_register_op(str(built_library()))
            return None
        except (BuildError, RuntimeError, OSError) as error:
            reason = str(error).strip().splitlines()[0]
    logger.info("Training uses Paddle's own CPU kernels: the quicker ones are not to be had (%s).", reason)
    return reason
