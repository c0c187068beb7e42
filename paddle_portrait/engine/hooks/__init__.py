"""What hangs on the training loop: averages, logs, evaluation, checkpoints, curves, profiles."""

from paddle_portrait.engine.hooks.averaging import AverageHook
from paddle_portrait.engine.hooks.base import Hook
from paddle_portrait.engine.hooks.checkpointing import CheckpointHook
from paddle_portrait.engine.hooks.ema import EmaHook
from paddle_portrait.engine.hooks.evaluation import EvaluationHook
from paddle_portrait.engine.hooks.logging import LogHook
from paddle_portrait.engine.hooks.profiling import ProfilerHook
from paddle_portrait.engine.hooks.swa import SwaHook
from paddle_portrait.engine.hooks.visualdl import VisualDLHook

__all__ = [
    "AverageHook",
    "CheckpointHook",
    "EmaHook",
    "EvaluationHook",
    "Hook",
    "LogHook",
    "ProfilerHook",
    "SwaHook",
    "VisualDLHook",
]
