"""Data sets, transforms and loading: from list files to batches."""

from __future__ import annotations

from paddle_portrait.data.batch import Batch
from paddle_portrait.data.loader import BatchLoader, EvalLoader
from paddle_portrait.data.sample import Sample

__all__ = ["Batch", "BatchLoader", "EvalLoader", "Sample"]
