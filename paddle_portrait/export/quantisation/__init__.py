"""Models with fewer bits: made from an exported ONNX graph, judged on photos, and kept only when good enough."""

from paddle_portrait.export.quantisation.gate import Outcome, QuantisationError
from paddle_portrait.export.quantisation.run import Attempt, Request, attempt, describe, quantise
from paddle_portrait.export.quantisation.schemes import SCHEMES

__all__ = ["SCHEMES", "Attempt", "Outcome", "QuantisationError", "Request", "attempt", "describe", "quantise"]
