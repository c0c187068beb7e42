"""Kinds of losses that look at more than one output and its labels; the objective hands them what they need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from paddle_portrait.errors import UserError


class ViewsLoss:
    """Mark of a loss that compares two views of each crop: called as ``loss(clean_logits, textured_logits)``."""

    compares_views = True


class PictureLoss:
    """Mark of a loss that looks at the pictures: called as ``loss(logits, labels, pixels)``.

    ``pixels`` is a uint8 array N×H×W×3, RGB, the crops before normalisation.
    """


def require_plain(owner: str, losses: Iterable[Any]) -> None:
    """Raise a UserError unless all losses within another one take logits and labels, and nothing else."""
    for loss in losses:
        if isinstance(loss, (ViewsLoss, PictureLoss)):
            raise UserError(
                f"{type(loss).__name__} needs more than logits and labels: give it in 'objective', not in {owner}."
            )
