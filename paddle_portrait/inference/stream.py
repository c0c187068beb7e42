"""Frame after frame: what a predictor remembers of a video."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from paddle_portrait.inference.predictor import Predictor


class PredictorStream:
    """One video. A network that takes a prior is given the probability of the frame before."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._prior: np.ndarray | None = None

    def __call__(self, frame_rgb: np.ndarray) -> np.ndarray:
        """Return the person probability, float32 H×W in [0, 1], of the next frame, uint8 H×W×3."""
        if not self._predictor.takes_prior:
            return self._predictor(frame_rgb)
        if self._prior is not None and self._prior.shape != frame_rgb.shape[:2]:
            self.reset()  # the camera was turned or changed its resolution
        self._prior = self._predictor(frame_rgb, self._prior)
        return self._prior

    def reset(self) -> None:
        """Forget the frames so far: another video begins, or the scene has changed."""
        self._prior = None
