"""``_base_``: files that a config builds on, as in PaddleSeg.

A path or a list of paths, relative to the file that names them, each of which may name bases of its own.
Mappings merge, everything else is replaced; of several bases the first wins. ``_inherited_: False`` in a
mapping cuts it off from what the bases have there.
"""

from __future__ import annotations

import os

from paddle_portrait.config.nodes import Findings, Node, Path, Source
from paddle_portrait.config.yaml_text import nearest_file, read_yaml

BASE_KEY = "_base_"
INHERITED_KEY = "_inherited_"


def load_tree(path: str, findings: Findings) -> Node | None:
    """Read the config ``path`` with all its bases merged in; None when a file cannot be read.

    Args:
        path: the YAML file.
        findings: receives unreadable files, missing bases and cycles, each with the line of its ``_base_``.
    """
    return _load(path, (), findings)


def merge(child: Node, base: Node) -> Node:
    """Return ``base`` overlaid with ``child``: mappings merge key by key, all else is the child's."""
    if not isinstance(child.value, dict) or not isinstance(base.value, dict) or _is_cut_off(child):
        return child
    merged = dict(base.value)
    for key, value in child.value.items():
        merged[key] = merge(value, merged[key]) if key in merged else value
    return Node(merged, child.source)


def _load(path: str, chain: tuple[str, ...], findings: Findings) -> Node | None:
    tree = read_yaml(path, findings)
    if tree is None:
        return None
    complete = True
    base_node = tree.entries.pop(BASE_KEY, None)
    for base_path, source in _base_paths(base_node, path, findings):
        base = _load_base(base_path, source, (*chain, path), findings)
        complete &= base is not None
        tree = merge(tree, base) if base is not None else tree
    _strip_inherited(tree, (), findings)
    return tree if complete else None


def _base_paths(node: Node | None, path: str, findings: Findings) -> list[tuple[str, Source]]:
    if node is None:
        return []
    named = node.items if isinstance(node.value, list) else [node]
    wrong = [item for item in named if not isinstance(item.value, str) or not item.value]
    for item in wrong:
        findings.add(item.source, (BASE_KEY,), f"takes a path or a list of paths; found {item.plain()!r}")
    folder = os.path.dirname(path)
    return [
        (os.path.normpath(os.path.join(folder, str(item.value))), item.source) for item in named if item not in wrong
    ]


def _load_base(path: str, source: Source, chain: tuple[str, ...], findings: Findings) -> Node | None:
    if os.path.realpath(path) in map(os.path.realpath, chain):
        findings.add(source, (BASE_KEY,), f"the bases go in a circle: {' -> '.join((*chain, path))}")
        return None
    if not os.path.isfile(path):
        findings.add(source, (BASE_KEY,), f"no such file: {' -> '.join((*chain, path))}{nearest_file(path)}")
        return None
    return _load(path, chain, findings)


def _is_cut_off(node: Node) -> bool:
    inherited = node.entries.get(INHERITED_KEY)
    return inherited is not None and inherited.value is False


def _strip_inherited(node: Node, path: Path, findings: Findings) -> None:
    inherited = node.entries.pop(INHERITED_KEY, None)
    if inherited is not None and not isinstance(inherited.value, bool):
        findings.add(inherited.source, (*path, INHERITED_KEY), f"takes true or false; found {inherited.plain()!r}")
    for key, child in node.entries.items():
        _strip_inherited(child, (*path, key), findings)
    for index, child in enumerate(node.items):
        _strip_inherited(child, (*path, index), findings)
