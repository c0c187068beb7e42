"""Where a step's time goes, by Paddle's profiler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paddle_portrait.console import logger
from paddle_portrait.engine.hooks.base import Hook
from paddle_portrait.errors import UserError, describe_unknown

if TYPE_CHECKING:
    from paddle_portrait.engine.trainer import Step, Trainer

_OPTIONS = ("batch_range", "profile_path")


class ProfilerHook(Hook):
    """Profiles some iterations, prints the operators by time and writes a trace.

    Args:
        options: PaddleSeg's form, ``"batch_range=[10,20];profile_path=profile"``: first and last iteration
            (default 10 to 20) and the folder of the trace (default ``profile``), to open in chrome://tracing.
    """

    def __init__(self, options: str) -> None:
        values = parse_profiler_options(options)
        self.first, self.last = values["batch_range"]
        self.path = values["profile_path"]
        self._profiler: Any = None

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Start before iteration ``first`` and stop after ``last``."""
        import paddle.profiler as profiler

        if step.iteration == self.first - 1:
            self._profiler = profiler.Profiler(
                on_trace_ready=profiler.export_chrome_tracing(self.path), timer_only=False
            )
            self._profiler.start()
        elif self._profiler is not None:
            self._profiler.step()
            if step.iteration == self.last:
                self._profiler.stop()
                self._profiler.summary(op_detail=True, thread_sep=False)
                self._profiler = None
                logger.info("wrote the profile of iterations %d to %d to %s", self.first, self.last, self.path)


def parse_profiler_options(options: str) -> dict[str, Any]:
    """Read ``key=value;…``.

    Raises:
        UserError: an unknown key, or a range that is no ``[first,last]`` with 2 ≤ first ≤ last.
    """
    values: dict[str, Any] = {"batch_range": (10, 20), "profile_path": "profile"}
    for part in filter(None, (piece.strip() for piece in options.split(";"))):
        key, _, text = part.partition("=")
        if key not in _OPTIONS:
            raise UserError(f"--profiler_options: {describe_unknown('option', key, _OPTIONS)}")
        values[key] = _parse_range(text) if key == "batch_range" else text
    return values


def _parse_range(text: str) -> tuple[int, int]:
    try:
        first, last = (int(number) for number in text.strip("[] ").split(","))
    except ValueError:
        raise UserError(f"--profiler_options batch_range must be [first,last], not '{text}'.") from None
    if not 2 <= first <= last:
        raise UserError(f"--profiler_options batch_range needs 2 ≤ first ≤ last, not [{first},{last}].")
    return first, last
