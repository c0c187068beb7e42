"""Saving the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddle_portrait.console import logger
from paddle_portrait.engine import distributed
from paddle_portrait.engine.checkpoint import prune_checkpoints, save_checkpoint
from paddle_portrait.engine.hooks.base import Hook

if TYPE_CHECKING:
    from paddle_portrait.engine.trainer import Step, Trainer


class CheckpointHook(Hook):
    """Writes ``save_dir/iter_N`` every ``interval`` steps and when the run ends, and deletes the oldest.

    It must be the last hook, so that what it saves includes what the others did in this step.

    Args:
        save_dir: the run's folder.
        interval: steps between two checkpoints.
        keep: number of checkpoints to keep.
        extra_state: JSON-able facts to store beside the state: environment, config.
    """

    def __init__(
        self, save_dir: str | Path, interval: int, keep: int, extra_state: dict[str, Any] | None = None
    ) -> None:
        self.save_dir = Path(save_dir)
        self.interval = interval
        self.keep = keep
        self.extra_state = extra_state or {}
        self._saved_at = -1

    def before_run(self, trainer: Trainer) -> None:
        """Remember where a resumed run stands: that is saved already."""
        self._saved_at = trainer.iteration

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Save when it is due."""
        if step.iteration % self.interval == 0 or step.iteration == trainer.total_iterations:
            self._save(trainer)

    def after_run(self, trainer: Trainer) -> None:
        """Save where the run was stopped."""
        if self._saved_at != trainer.iteration:
            self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        self._saved_at = trainer.iteration
        if not distributed.is_main():
            return
        checkpoint = trainer.checkpoint()
        checkpoint.state.update(self.extra_state)
        directory = self.save_dir / f"iter_{trainer.iteration}"
        save_checkpoint(directory, checkpoint)
        prune_checkpoints(self.save_dir, self.keep)
        logger.info("saved %s", directory)
