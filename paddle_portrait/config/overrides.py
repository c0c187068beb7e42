"""Values from the command line: ``--opts a.b=v`` and flags such as ``--learning_rate``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from paddle_portrait.config.nodes import Findings, Node, Path, Source, from_plain, parse_path, show
from paddle_portrait.config.schema import SECTIONS
from paddle_portrait.config.yaml_text import parse_value
from paddle_portrait.errors import nearest_name


def apply_opts(root: Node, opts: Sequence[str], findings: Findings) -> None:
    """Set each ``dotted.path=value`` of ``opts`` in ``root``.

    The value is read as YAML and keeps the type of the one that it replaces. What the path leads through must
    exist; its last key may be a new one only where the checks that follow know it.
    """
    for option in opts:
        key, equals, text = option.partition("=")
        source = Source(f"--opts {option}")
        if not equals or not key:
            findings.add(source, (), "takes KEY=VALUE, such as batch_size=16 or train_dataset.transforms.0.prob=0.3")
            continue
        _set(root, key, lambda old, text=text: _typed(text, old), source, findings)


def apply_flags(root: Node, flags: Mapping[str, Any], findings: Findings) -> None:
    """Set values that have flags of their own: dotted path to value; None stands for a flag not given.

    A plain section such as ``early_stop`` is made when it is missing; a component's is not.
    """
    for key, value in flags.items():
        if value is None:
            continue
        *parents, last = parse_path(key)
        source = Source(f"--{last}")
        if key == "iters":
            _replace_length(root, source, findings)
        if parents and parents[0] in SECTIONS and not root.entries.get(parents[0], Node(None, source)).entries:
            root.entries[parents[0]] = Node({}, source)
        _set(root, key, lambda old, value=value: value, source, findings)


def _replace_length(root: Node, source: Source, findings: Findings) -> None:
    root.entries.pop("epochs", None)
    stages = root.entries.get("stages")
    if stages is not None and stages.items:
        text = f"the stages ({stages.source}) have lengths of their own; set them with --opts stages.0.iters=…"
        findings.add(source, (), text)


def _set(root: Node, key: str, value_for: Any, source: Source, findings: Findings) -> None:
    *parents, last = parse_path(key)
    node = _walk(root, parents, source, findings)
    if node is None:
        return
    path = (*parents, last)
    old = node.child(last)
    try:
        value = value_for(old.plain() if old is not None else None)
    except ValueError as error:
        findings.add(source, path, str(error))
        return
    new = from_plain(value, replace(source, is_new=old is None))
    if isinstance(node.value, dict):
        node.value[last] = new
    elif isinstance(node.value, list) and old is not None:
        node.value[int(last)] = new
    else:
        findings.add(source, path, _no_such(node, last))


def _walk(root: Node, steps: Sequence[str], source: Source, findings: Findings) -> Node | None:
    node = root
    done: Path = ()
    for step in steps:
        child = node.child(step)
        if child is None:
            findings.add(source, (*done, step), f"no such key in the config: {_no_such(node, step)}")
            return None
        node, done = child, (*done, step)
    return node


def _no_such(node: Node, step: str) -> str:
    if isinstance(node.value, list):
        return f"the items here are 0 to {len(node.value) - 1}" if node.value else "the list here is empty"
    if not isinstance(node.value, dict):
        return f"what is there is {show(node.value)}, which has no keys"
    nearest = nearest_name(step, node.value)
    hint = f"did you mean '{nearest}'? " if nearest else ""
    return f"{hint}the keys here are {', '.join(node.value) or '(none)'}"


def _typed(text: str, old: Any) -> Any:
    """Return ``text`` as a value of the type that ``old`` has; as YAML reads it where ``old`` is null or new."""
    if isinstance(old, str) and text not in ("null", "~", ""):
        return text if text[:1] not in "'\"" else parse_value(text)
    new = parse_value(text)
    if isinstance(new, str) and "," in text and isinstance(old, (list, int, float)):
        new = parse_value(f"[{text}]")  # PaddleSeg's test_config.scales=0.75,1.0,1.25
    if old is None or new is None or _same_kind(new, old):
        return new
    raise ValueError(f"found {show(new)}; the config has {show(old)}, and the type is kept")


def _same_kind(new: Any, old: Any) -> bool:
    if isinstance(old, bool):
        return isinstance(new, bool) or new in ("yes", "no", "on", "off")
    if isinstance(old, (int, float)):
        return isinstance(new, (int, float, list)) and not isinstance(new, bool)
    return isinstance(new, (list, int, float) if isinstance(old, list) else type(old)) and not isinstance(new, bool)
