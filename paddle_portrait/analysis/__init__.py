"""What a network costs: parameters, multiply-adds, memory, time, and what mobile runtimes will not like about it."""

from paddle_portrait.analysis.network import NetworkAnalysis, analyse

__all__ = ["NetworkAnalysis", "analyse"]
