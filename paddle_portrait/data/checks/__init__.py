"""What is wrong with a data set, before a training suffers from it."""

from __future__ import annotations

from paddle_portrait.data.checks.check import cheap_checks, check_dataset, check_overlap
from paddle_portrait.data.checks.report import CheckReport, Finding
from paddle_portrait.data.checks.sheet import sample_sheet

__all__ = ["CheckReport", "Finding", "cheap_checks", "check_dataset", "check_overlap", "sample_sheet"]
