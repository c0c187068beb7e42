"""Metrics of segmentation: regions, outlines, mattes, flicker in time, and grids in the probability."""

from __future__ import annotations

from paddle_portrait.metrics.accumulator import IGNORE_INDEX, Accumulator, hard_label
from paddle_portrait.metrics.boundary import BoundaryMetrics, boundary_iou
from paddle_portrait.metrics.checkerboard import CheckerboardMetrics, checkerboard
from paddle_portrait.metrics.matte import MatteMetrics, mae, mse, sad
from paddle_portrait.metrics.region import RegionMetrics, confusion_matrix
from paddle_portrait.metrics.temporal import FlickerMetrics, dtssd, mask_instability, messddt, warping_error

__all__ = [
    "IGNORE_INDEX",
    "Accumulator",
    "BoundaryMetrics",
    "CheckerboardMetrics",
    "FlickerMetrics",
    "MatteMetrics",
    "RegionMetrics",
    "boundary_iou",
    "checkerboard",
    "confusion_matrix",
    "dtssd",
    "hard_label",
    "mae",
    "mask_instability",
    "messddt",
    "mse",
    "sad",
    "warping_error",
]
