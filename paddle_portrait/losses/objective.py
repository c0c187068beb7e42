"""The objective: weighted loss terms, each on one of the network's outputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import paddle

from paddle_portrait.data.batch import Batch
from paddle_portrait.errors import UserError
from paddle_portrait.models.output import SegOutput, as_seg_output
from paddle_portrait.registry import LOSSES

Loss = Callable[[paddle.Tensor, paddle.Tensor], paddle.Tensor]

_AUX = re.compile(r"aux\[(\d+)\]")


@dataclass(frozen=True)
class Term:
    """One weighted loss.

    Attributes:
        name: unique name for logs and curves.
        loss: called with an output, float N×classes×H×W, and labels, N×H×W.
        on: the output it acts on: ``logits``, ``aux[i]`` or ``boundary``.
        weight: factor in the total.
    """

    name: str
    loss: Loss
    on: str = "logits"
    weight: float = 1.0


class Objective:
    """Sums weighted terms over one forward pass of the network."""

    def __init__(self, terms: Sequence[Term]) -> None:
        if not terms:
            raise UserError("the objective has no terms. Give 'loss' or 'objective' in the config.")
        self.terms = tuple(terms)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Objective:
        """Build from a config's ``loss`` (PaddleSeg's form) and ``objective`` (ours) sections; either or both.

        Raises:
            UserError: both are missing, or ``loss.types`` and ``loss.coef`` do not go together.
        """
        return cls([*_terms_of_loss(config.get("loss")), *_terms_of_objective(config.get("objective"))])

    def __call__(self, model: Callable[[paddle.Tensor], Any], batch: Batch) -> tuple[paddle.Tensor, dict[str, float]]:
        """Run the network on ``batch`` and return (total loss, each term's unweighted value by name)."""
        output = as_seg_output(model(batch.images))
        values = {term.name: term.loss(_select(output, term), batch.labels) for term in self.terms}
        total = paddle.add_n([term.weight * values[term.name] for term in self.terms])
        return total, {name: value.detach() for name, value in values.items()}


def _terms_of_loss(section: Mapping[str, Any] | None) -> list[Term]:
    if not section:
        return []
    nodes, weights = list(section["types"]), list(section.get("coef", [1.0]))
    if len(nodes) == 1:
        nodes = nodes * len(weights)
    if len(nodes) != len(weights):
        raise UserError(
            f"loss.types has {len(nodes)} entries and loss.coef {len(weights)}; "
            "give one of each for every output of the network, or a single type for all."
        )
    outputs = ["logits", *(f"aux[{index}]" for index in range(len(nodes) - 1))]
    return [
        Term(f"{node['type']}@{on}", LOSSES.build_node(node), on, float(weight))
        for node, on, weight in zip(nodes, outputs, weights, strict=True)
    ]


def _terms_of_objective(section: Sequence[Mapping[str, Any]] | None) -> list[Term]:
    terms: list[Term] = []
    for node in section or ():
        arguments = {key: value for key, value in node.items() if key not in ("on", "weight")}
        on = node.get("on", "logits")
        name = f"{node['type']}@{on}"
        same = sum(term.name.split("#")[0] == name for term in terms)
        terms.append(
            Term(f"{name}#{same + 1}" if same else name, LOSSES.build_node(arguments), on, float(node.get("weight", 1)))
        )
    return terms


def _select(output: SegOutput, term: Term) -> paddle.Tensor:
    if term.on == "logits":
        return output.logits
    if term.on == "boundary" and output.boundary is not None:
        return output.boundary
    match = _AUX.fullmatch(term.on)
    if match and int(match.group(1)) < len(output.aux):
        return output.aux[int(match.group(1))]
    have = ["logits", *(f"aux[{index}]" for index in range(len(output.aux)))]
    have += ["boundary"] if output.boundary is not None else []
    raise UserError(f"loss term '{term.name}' acts on '{term.on}', but the network's outputs are: {', '.join(have)}.")
