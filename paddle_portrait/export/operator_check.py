"""Which operators of a network a target lacks or gets wrong: told before anyone trains it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.export.errors import MissingPackageError
from paddle_portrait.export.operators import list_legacy_operators, list_operators
from paddle_portrait.export.targets import load_target

_FAULTS = Path(__file__).with_name("operator_faults.json")
_NOT_LISTED = "is not on the runtime's own list of operators"
_MOST_DIMENSIONS = {"paddlejs": 4}


@dataclass(frozen=True)
class Finding:
    """Something of a network that a target will not do.

    Attributes:
        target: name of the format.
        operator: Paddle's name; "" where all of the network is concerned.
        what: what happens.
        instead: what to use; "" where nobody knows.
        layers: where the operator is called, each layer once; "" is the network's own ``forward``.
    """

    target: str
    operator: str
    what: str
    instead: str
    layers: tuple[str, ...] = ()


def check_operators(network: nn.Layer, input_shape: Sequence[int], formats: Sequence[str]) -> list[Finding]:
    """Return what the formats are known to lack or to get wrong of a network, by lists alone.

    Three kinds of knowledge: a target's own list (``operator_names()`` of its module), what trials and failed exports
    taught (``operator_faults.json``), and tensors of more dimensions than a target holds.

    Args:
        network: takes float N×C×H×W; weights do not matter.
        input_shape: N, C, H, W, all known.
        formats: names of targets.

    Raises:
        UserError: the network cannot be traced.
    """
    operators = list_operators(network, input_shape)
    present = [(operator.layer, operator.type) for operator in operators]
    findings = []
    try:
        legacy = list_legacy_operators(network, input_shape)
    except UserError as error:
        legacy, untraceable = [], str(error)
        findings = [Finding(name, "", untraceable, "") for name in formats if "paddle_legacy" in _line_of(name)]
    for name in formats:
        found = _by_faults(name, {"paddle": present, "paddle_legacy": legacy})
        known = {finding.operator for finding in found}
        findings += [*found, *(finding for finding in _by_list(name, legacy) if finding.operator not in known)]
        most = _MOST_DIMENSIONS.get(name)
        large = [
            operator
            for operator in operators
            if most and any(len(tensor.shape) > most for tensor in (*operator.inputs, *operator.outputs))
        ]
        if large:
            kinds = ", ".join(sorted({operator.type for operator in large}))
            what = f"has tensors of more than {most} dimensions, which are cut"
            findings.append(Finding(name, kinds, what, "tensors of four", _layers(op.layer for op in large)))
    return findings


def describe_findings(findings: Sequence[Finding], formats: Sequence[str]) -> str:
    """Return the findings as text, format by format."""
    lines = []
    for name in formats:
        own = [finding for finding in findings if finding.target == name]
        lines.append(
            f"{name}: " + ("nothing known against it" if not own else f"{len(own)} finding{'s' * (len(own) > 1)}")
        )
        for finding in own:
            lines.append(f"  {finding.operator or 'the network'} {finding.what}")
            if finding.layers:
                lines.append(f"      in     {', '.join(layer or '(network)' for layer in finding.layers)}")
            if finding.instead:
                lines.append(f"      use    {finding.instead}")
    return "\n".join(lines)


def _by_faults(name: str, lists: Mapping[str, Sequence[tuple[str, str]]]) -> list[Finding]:
    found = []
    for fault in _read_faults()["faults"]:
        if not set(fault["targets"]) & set(_line_of(name)):
            continue
        layers = _layers(layer for layer, kind in lists[fault["graph"]] if kind == fault["operator"])
        if layers:
            found.append(Finding(name, fault["operator"], fault["what"], fault["instead"], layers))
    return found


def _by_list(name: str, legacy: Sequence[tuple[str, str]]) -> list[Finding]:
    listed = getattr(load_target(name), "operator_names", None)
    if listed is None:
        return []
    try:
        names = listed()
    except MissingPackageError as error:
        return [Finding(name, "", f"cannot be looked up: {error}", "")]
    missing = sorted({kind for _, kind in legacy} - names - {"feed", "fetch"})
    return [
        Finding(name, kind, _NOT_LISTED, "", _layers(at for at, other in legacy if other == kind)) for kind in missing
    ]


def _line_of(name: str) -> list[str]:
    """Return a format and those that it is built on, whose faults are its own."""
    below = _read_faults()["built_on"].get(name)
    return [name] if below is None else [name, *_line_of(below)]


def _layers(names: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


@lru_cache(maxsize=1)
def _read_faults() -> dict[str, Any]:
    return json.loads(_FAULTS.read_text(encoding="utf-8"))
