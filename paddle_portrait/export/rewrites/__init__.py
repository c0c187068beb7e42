"""Rewrites of ONNX graphs that compute the same in less time, one to a module, each proved on the graph it changes."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto

# In this order: later ones work on what earlier ones leave. Each is a module here with ``apply(graph) -> places``.
REWRITES = (
    "mirroring",
    "class_difference",
    "early_mixing",
    "late_upsampling",
    "slopes",
    "aligned_channels",
    "channel_routing",
    "added_products",
    "few_outputs",
)

LIMIT = 1e-4


@dataclass(frozen=True)
class Applied:
    """A rewrite that a graph took, as ``parity.json`` lists it.

    Attributes:
        name: of its module.
        places: how often it was done.
        max_abs_diff: how far the output moved at most, on noise.
    """

    name: str
    places: int
    max_abs_diff: float


def rewrite(model: ModelProto) -> tuple[ModelProto, list[Applied]]:
    """Return a model that computes the same in less time in ONNX Runtime on CPUs, and what was done to it.

    A rewrite that moves the output by more than ``LIMIT`` on noise is left out, so the result is right by itself.

    Args:
        model: of standard operators, as ONNX Runtime's basic optimisation leaves it; it is left as it was.
    """
    from paddle_portrait.export.rewrites.graph import Graph
    from paddle_portrait.export.rewrites.proof import Proof

    proof = Proof(model)
    applied: list[Applied] = []
    for name in REWRITES:
        graph = Graph(model)
        places = importlib.import_module(f"{__name__}.{name}").apply(graph)
        if not places:
            continue
        changed = graph.model()
        difference = proof.difference(changed)
        if difference <= LIMIT:
            model = changed
            applied.append(Applied(name, places, difference))
    return model, applied
