"""The objective: weighted loss terms, each on one of the network's outputs for one view of the batch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import paddle

from paddle_portrait.data.batch import Batch
from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.losses.kinds import PictureLoss, ViewsLoss
from paddle_portrait.models.output import SegOutput, as_seg_output
from paddle_portrait.registry import LOSSES

CLEAN, TEXTURED, BOTH = "clean", "textured", "both"

_AUX = re.compile(r"aux\[(\d+)\]")


@dataclass(frozen=True)
class Term:
    """One weighted loss.

    Attributes:
        name: unique name for logs and curves.
        loss: called with an output, float N×classes×H×W, and labels, N×H×W; see :mod:`kinds` for the others.
        on: the output it acts on: ``logits``, ``aux[i]`` or ``boundary``.
        weight: factor in the total.
        view: the pictures it acts on: ``clean``, or ``textured``, the same crops in other colours.
    """

    name: str
    loss: Callable[..., paddle.Tensor]
    on: str = "logits"
    weight: float = 1.0
    view: str = CLEAN

    @property
    def views(self) -> tuple[str, ...]:
        """The views whose outputs the term needs."""
        return (CLEAN, TEXTURED) if isinstance(self.loss, ViewsLoss) else (self.view,)

    def value(self, outputs: Mapping[str, SegOutput], batch: Batch) -> paddle.Tensor:
        """Return the scalar loss for the network's outputs by view."""
        selected = [_select(outputs[view], self) for view in self.views]
        if isinstance(self.loss, ViewsLoss):
            return self.loss(*selected)
        if isinstance(self.loss, PictureLoss):
            return self.loss(*selected, batch.labels, batch.pixels())
        return self.loss(*selected, self._labels(batch))

    def _labels(self, batch: Batch) -> paddle.Tensor:
        if not getattr(self.loss, "edge_label", False):
            return batch.labels
        if batch.edges is None:
            raise UserError(f"loss term '{self.name}' compares with outlines: set edge: true in train_dataset.")
        return batch.edges


class Objective:
    """Sums weighted terms over one forward pass of the network for each view that a term looks at."""

    def __init__(self, terms: Sequence[Term]) -> None:
        if not terms:
            raise UserError("the objective has no terms. Give 'loss' or 'objective' in the config.")
        self.terms = tuple(terms)
        used = {view for term in terms for view in term.views}
        self.views = tuple(view for view in (CLEAN, TEXTURED) if view in used)

    @property
    def needs_textured(self) -> bool:
        """Whether batches must carry the second view."""
        return TEXTURED in self.views

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Objective:
        """Build from a config's ``loss`` (PaddleSeg's form) and ``objective`` (ours) sections; either or both.

        Raises:
            UserError: both are missing, ``loss.types`` and ``loss.coef`` do not go together, or a view is unknown.
        """
        return cls([*_terms_of_loss(config.get("loss")), *_terms_of_objective(config.get("objective"))])

    def __call__(
        self, model: Callable[[paddle.Tensor], Any], batch: Batch
    ) -> tuple[paddle.Tensor, dict[str, paddle.Tensor]]:
        """Run the network on ``batch`` and return (total loss, each term's unweighted value by name).

        Raises:
            UserError: the network has no such output, or the batch no second view.
        """
        if self.needs_textured and batch.textured is None:
            raise UserError(
                "the objective looks at a second view of each crop, which the batch does not have. Name the "
                "transforms that change its colours in train_dataset.consistency_transforms."
            )
        images = {CLEAN: batch.images, TEXTURED: batch.textured}
        outputs = {view: as_seg_output(model(images[view])) for view in self.views}
        values = {term.name: term.value(outputs, batch) for term in self.terms}
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
        loss = LOSSES.build_node({key: value for key, value in node.items() if key not in ("on", "weight", "view")})
        if isinstance(loss, ViewsLoss) and "view" in node:
            raise UserError(f"objective, {node['type']}: compares both views, so it takes no 'view'.")
        on, weight = node.get("on", "logits"), float(node.get("weight", 1))
        for view in _views_of(node):
            name = f"{node['type']}@{on}" + (f"/{view}" if view != CLEAN else "")
            same = sum(term.name.split("#")[0] == name for term in terms)
            terms.append(Term(f"{name}#{same + 1}" if same else name, loss, on, weight, view))
    return terms


def _views_of(node: Mapping[str, Any]) -> tuple[str, ...]:
    view = node.get("view", CLEAN)
    if view not in (CLEAN, TEXTURED, BOTH):
        raise UserError(f"objective, {node['type']}: {describe_unknown('view', str(view), (CLEAN, TEXTURED, BOTH))}")
    return (CLEAN, TEXTURED) if view == BOTH else (view,)


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
