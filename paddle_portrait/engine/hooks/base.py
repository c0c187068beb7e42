"""The five points at which things hang on the training loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from paddle_portrait.engine.trainer import Step, Trainer


class Hook:
    """Something that happens around the steps. Hooks own their state and give it to checkpoints."""

    @property
    def name(self) -> str:
        """Key of this hook's state in a checkpoint."""
        return type(self).__name__

    def before_run(self, trainer: Trainer) -> None:
        """Called once, after a resume and before the first step."""

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Called after each iteration."""

    def after_run(self, trainer: Trainer) -> None:
        """Called once at the end, also when the run was stopped early."""

    def state_dict(self) -> dict[str, Any]:
        """Return JSON-able state."""
        return {}

    def arrays(self) -> dict[str, np.ndarray]:
        """Return state in arrays."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Restore what :meth:`state_dict` and :meth:`arrays` gave; both are empty for a new hook."""

    def deployed_weights(self, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the weights to judge and deploy in place of the raw ones."""
        return weights
