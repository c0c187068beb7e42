"""Loss terms. Importing this package registers them. Each is called as ``loss(logits, labels)``.

:mod:`kinds` names the two kinds that are called with more; ``docs/losses.md`` has a table of all.
"""

from paddle_portrait.losses.boundary_band import BoundaryBandLoss
from paddle_portrait.losses.consistency import ConsistencyKLLoss
from paddle_portrait.losses.cross_entropy import BCELoss, CrossEntropyLoss, OhemCrossEntropyLoss
from paddle_portrait.losses.dice import DiceLoss
from paddle_portrait.losses.focal import BoundaryFocalLoss, FocalLoss
from paddle_portrait.losses.lovasz import LovaszHingeLoss, LovaszSoftmaxLoss
from paddle_portrait.losses.mixed import MixedLoss
from paddle_portrait.losses.objective import Objective, Term

__all__ = [
    "BCELoss",
    "BoundaryBandLoss",
    "BoundaryFocalLoss",
    "ConsistencyKLLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "FocalLoss",
    "LovaszHingeLoss",
    "LovaszSoftmaxLoss",
    "MixedLoss",
    "Objective",
    "OhemCrossEntropyLoss",
    "Term",
]
