"""Loss terms. Importing this package registers them. Each is called as ``loss(logits, labels)``.

:mod:`kinds` names the two kinds that are called with more; ``docs/losses.md`` has a table of all.
"""

from paddle_portrait.losses.boundary_band import BoundaryBandLoss
from paddle_portrait.losses.connectivity import SemanticConnectivityLoss
from paddle_portrait.losses.consistency import ConsistencyKLLoss
from paddle_portrait.losses.cross_entropy import BCELoss, CrossEntropyLoss, OhemCrossEntropyLoss
from paddle_portrait.losses.dice import DiceLoss
from paddle_portrait.losses.distillation import DistillationLoss, Teacher
from paddle_portrait.losses.focal import BoundaryFocalLoss, FocalLoss
from paddle_portrait.losses.lovasz import LovaszHingeLoss, LovaszSoftmaxLoss
from paddle_portrait.losses.matte import L1Loss, LaplacianPyramidLoss, MSELoss
from paddle_portrait.losses.mixed import MixedLoss
from paddle_portrait.losses.objective import Objective, Term

__all__ = [
    "BCELoss",
    "BoundaryBandLoss",
    "BoundaryFocalLoss",
    "ConsistencyKLLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "DistillationLoss",
    "FocalLoss",
    "L1Loss",
    "LaplacianPyramidLoss",
    "LovaszHingeLoss",
    "LovaszSoftmaxLoss",
    "MSELoss",
    "MixedLoss",
    "Objective",
    "OhemCrossEntropyLoss",
    "SemanticConnectivityLoss",
    "Teacher",
    "Term",
]
