"""A teacher that is an export: quicker than the trained network, and all that is needed of it."""

from __future__ import annotations

import numpy as np

from paddle_portrait.inference import Predictor
from paddle_portrait.inference.agreement import mirrored
from paddle_portrait.registry import TEACHERS


@TEACHERS.register()
class ExportedTeacher:
    """An exported network, run as everybody runs it.

    Args:
        export: zoo name, or folder that ``tools/export.py`` wrote.
        backend: back end that runs it, by the name of the export's target.
        flip: answer with the mean over a picture and its mirror image, which is better than either, at twice the time.

    Raises:
        UserError: there is no such export, or it lacks the target.
    """

    def __init__(self, export: str, backend: str = "onnx", flip: bool = False) -> None:
        predictor = Predictor.load(export, backend, threads=1)  # one thread repeats bit for bit, as resuming wants
        self.answer = mirrored(predictor) if flip else predictor

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Return the person's probability, float32 N×H×W, in pictures uint8 N×H×W×3 (RGB)."""
        return np.stack([self.answer(picture) for picture in pixels])
