"""The device, the seeds and the facts of this machine that a checkpoint records."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from typing import Any

import paddle

from paddle_portrait import __version__
from paddle_portrait.console import logger
from paddle_portrait.engine import distributed
from paddle_portrait.errors import UserError


def choose_device(name: str | None = None, preferred: str | None = None) -> str:
    """Set and return Paddle's device: ``name``, or a GPU where the installed Paddle drives one, else the CPU.

    Args:
        name: what a flag asks for.
        preferred: what a config asks for. PaddleSeg's configs say ``gpu`` by default, so a config's GPU that is
            not to be had gives the CPU and a line in the log.

    Raises:
        UserError: ``name`` is not to be had here. Nothing falls back in silence.
    """
    has_gpu = paddle.device.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0
    if name is None and preferred is not None and preferred.startswith("gpu") and not has_gpu:
        logger.info("the config asks for device '%s', which is not to be had here; using the CPU", preferred)
        preferred = "cpu"
    chosen = name or preferred or ("gpu" if has_gpu else "cpu")
    if chosen.startswith("gpu") and not has_gpu:
        why = "it was built for CPUs only" if not paddle.device.is_compiled_with_cuda() else "it sees no GPU"
        raise UserError(
            f"--device {chosen}: the installed paddlepaddle {paddle.__version__} cannot use a GPU: {why}. "
            "Install paddlepaddle-gpu for your CUDA, or use --device cpu."
        )
    try:
        return str(paddle.set_device(chosen))
    except ValueError as error:
        raise UserError(f"--device {chosen}: {error}. Allowed: cpu, gpu, gpu:N, what your Paddle supports.") from None


def describe_environment(kernels: str) -> dict[str, Any]:
    """Return what numerical results depend on beside the config; JSON-able.

    Args:
        kernels: name of the build of the CPU kernels in use, or ``"stock"``.
    """
    return {
        "paddle_portrait": __version__,
        "paddle": paddle.__version__,
        "python": platform.python_version(),
        "device": paddle.get_device(),
        "machine": platform.machine(),
        "processes": distributed.world_size(),
        "threads": os.environ.get("OMP_NUM_THREADS", "default"),
        "kernels": kernels,
    }


def warn_of_differences(saved: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Log each fact of the environment that changed since a checkpoint was saved: bits may then differ."""
    for key, value in current.items():
        if key in saved and saved[key] != value:
            logger.warning(
                "resume: %s was '%s' when the checkpoint was saved and is '%s' now; the last bits may differ",
                key, saved[key], value,
            )  # fmt: skip
