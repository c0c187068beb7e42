"""What must hold between the sections of a config."""

from __future__ import annotations

import re
from typing import Any

from paddle_portrait.config.nodes import Findings, Node, Path, format_path, show
from paddle_portrait.registry import LOSSES

_OUTPUTS = re.compile(r"logits|boundary|aux\[\d+\]")
_DATASETS = ("train_dataset", "val_dataset", "test_dataset")
_NETWORK_CHANNELS: tuple[Path, ...] = (("model", "in_channels"), ("model", "backbone", "in_channels"))
# Settings of PaddleSeg that change nothing here: path, the value that may stand, why another one may not.
_NOT_OFFERED: tuple[tuple[Path, Any, str], ...] = (
    (("to_static_training",), False, "training runs eagerly here"),
    (("train", "to_static_training"), False, "training runs eagerly here"),
    (("train", "repeats"), 1, "a training is run once"),
    (("test", "auc_roc"), False, "evaluation does not compute it"),
)


def check_rules(root: Node, findings: Findings) -> None:
    """Check a config's sections against each other."""
    _check_length(root, (), findings)
    for index, stage in enumerate(_items(root, ("stages",))):
        _check_length(stage, ("stages", index), findings, needed=True)
    _check_loss(root, findings)
    for index in range(len(_items(root, ("objective",)))):
        _check_output_name(root, ("objective", index, "on"), findings)
    _check_second_view(root, findings)
    _check_prior(root, findings)
    _check_num_classes(root, findings)
    for path, accepted, reason in _NOT_OFFERED:
        if (node := find(root, path)) is not None and node.value != accepted:
            findings.add(node.source, path, f"found {show(node.value)}, but {reason}; leave it out")
    for owner in _DATASETS:
        for index in range(len(_items(root, (owner, "datasets")))):
            _check_normalize(root, (owner, "datasets", index, "transforms"), findings)
    for owner in (*_DATASETS, "export"):
        _check_normalize(root, (owner, "transforms"), findings)
    if (final := find(root, ("train_dataset", "final"))) is not None and final.value is True:
        findings.add(final.source, ("train_dataset", "final"), "a split marked final is never trained on")


def find(root: Node, path: Path) -> Node | None:
    """Return the node at ``path``, or None."""
    node: Node | None = root
    for step in path:
        node = node.child(step) if node is not None else None
    return node


def _items(root: Node, path: Path) -> list[Node]:
    node = find(root, path)
    return node.items if node is not None else []


def _plain(root: Node, path: Path) -> Any:
    node = find(root, path)
    return node.plain() if node is not None else None


def _check_length(node: Node, path: Path, findings: Findings, needed: bool = False) -> None:
    given = [key for key in ("iters", "epochs") if _plain(node, (key,)) is not None]
    if len(given) == 2:
        source = node.entries["epochs"].source
        text = f"both epochs and iters ({node.entries['iters'].source}) are given; set one of them to null"
        findings.add(source, (*path, "epochs"), text)
    elif needed and not given and isinstance(node.value, dict):
        findings.add(node.source, path, "a stage needs its length: 'epochs' or 'iters'")


def _check_loss(root: Node, findings: Findings) -> None:
    types, coef = _items(root, ("loss", "types")), _items(root, ("loss", "coef"))
    if types and coef and len(types) not in (1, len(coef)):
        text = f"types has {len(types)} losses, coef {len(coef)} weights; give one type for all, or one for each weight"
        findings.add(root.entries["loss"].entries["coef"].source, ("loss", "coef"), text)


def _check_second_view(root: Node, findings: Findings) -> None:
    """A term that looks at the second view of each crop needs transforms that make it."""
    path: Path = ("train_dataset", "consistency_transforms")
    if findings.is_partial or find(root, path[:1]) is None or _plain(root, path):
        return
    for index, term in enumerate(_items(root, ("objective",))):
        kind = _plain(term, ("type",))
        compares = isinstance(kind, str) and kind in LOSSES and getattr(LOSSES.get(kind), "compares_views", False)
        if compares or _plain(term, ("view",)) in ("textured", "both"):
            text = f"looks at a second view of each crop: name the transforms that make it in {format_path(path)}"
            findings.add(term.source, ("objective", index), text)


def _check_prior(root: Node, findings: Findings) -> None:
    """A network with one channel more than the colours is judged with an empty prior; the data set must say so."""
    network = next((node for path in _NETWORK_CHANNELS if (node := find(root, path)) is not None), None)
    if network is None or network.value not in (2, 4):
        return
    for owner in ("val_dataset", "test_dataset"):
        data = find(root, (owner,))
        if data is None or _plain(data, ("type",)) != "Dataset":
            continue
        if _plain(data, ("img_channels",)) != network.value:
            text = (
                f"the network takes {network.value} channels ({network.source}), the last of them the mask of the "
                f"frame before: write img_channels: {network.value}"
            )
            findings.add(data.source, (owner,), text)


def _check_normalize(root: Node, path: Path, findings: Findings) -> None:
    for index, item in enumerate(_items(root, path)[:-1]):
        if _plain(item, ("type",)) == "Normalize":
            findings.add(item.source, (*path, index), "Normalize must be the last of the list, and there only once")


def _check_output_name(root: Node, path: Path, findings: Findings) -> None:
    node = find(root, path)
    if node is not None and isinstance(node.value, str) and not _OUTPUTS.fullmatch(node.value):
        findings.add(node.source, path, f"found {show(node.value)}; takes logits, boundary or aux[0], aux[1], …")


def _check_num_classes(root: Node, findings: Findings) -> None:
    """The network and all data sets have the same classes; one logit of the network stands for two classes."""
    owners: list[Path] = [("model",), *((name,) for name in _DATASETS)]
    given = [(path, node) for path in owners if (node := find(root, (*path, "num_classes"))) is not None]
    for path, node in given[1:]:
        first_path, first = given[0]
        expected = 2 if (first_path, first.value) == (("model",), 1) else first.value
        if node.value != expected:
            other = f"{format_path((*first_path, 'num_classes'))} is {show(first.value)} ({first.source})"
            findings.add(node.source, (*path, "num_classes"), f"found {show(node.value)}, but {other}")
