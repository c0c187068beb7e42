"""Data sets; importing this module registers them."""

from __future__ import annotations

from paddle_portrait.data.datasets.concat import ConcatDataset
from paddle_portrait.data.datasets.list_file import Dataset

__all__ = ["ConcatDataset", "Dataset"]
