"""How quick and how large exported models are, back end by back end."""

from paddle_portrait.inference.benchmark.latency import Figures, benchmark
from paddle_portrait.inference.benchmark.table import as_table

__all__ = ["Figures", "as_table", "benchmark"]
