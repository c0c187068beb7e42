"""Loss terms. Importing this package registers them. Each is called as ``loss(logits, labels)``."""

from paddle_portrait.losses.boundary_band import BoundaryBandLoss
from paddle_portrait.losses.cross_entropy import CrossEntropyLoss
from paddle_portrait.losses.dice import DiceLoss
from paddle_portrait.losses.lovasz import LovaszSoftmaxLoss
from paddle_portrait.losses.mixed import MixedLoss
from paddle_portrait.losses.objective import Objective, Term

__all__ = [
    "BoundaryBandLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "LovaszSoftmaxLoss",
    "MixedLoss",
    "Objective",
    "Term",
]
