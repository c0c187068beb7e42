"""Running exported models: one predictor, several runtimes. Needs Paddle only when its runtime is chosen."""

from paddle_portrait.inference.predictor import Predictor
from paddle_portrait.inference.stream import PredictorStream

__all__ = ["Predictor", "PredictorStream"]
