"""Kinds of losses that look at more than one output and its labels; the objective hands them what they need."""

from __future__ import annotations


class ViewsLoss:
    """Mark of a loss that compares two views of each crop: called as ``loss(clean_logits, textured_logits)``."""

    compares_views = True


class PictureLoss:
    """Mark of a loss that looks at the pictures: called as ``loss(logits, labels, pixels)``.

    ``pixels`` is a uint8 array N×H×W×3, RGB, the crops before normalisation.
    """
