"""A resolved config as YAML with its sources, for ``--print_config``."""

from __future__ import annotations

from collections.abc import Iterator

from paddle_portrait.config.nodes import Node
from paddle_portrait.config.yaml_text import dump_scalar


def dump_with_sources(root: Node) -> str:
    """Return ``root`` as YAML that loads back the same, with ``# file:line`` after each value."""
    return "".join(f"{line}  # {source}\n" if source else f"{line}\n" for line, source in _lines(root, ""))


def _lines(node: Node, indent: str) -> Iterator[tuple[str, str]]:
    for key, child in node.entries.items():
        head = f"{indent}{dump_scalar(key)}:"
        if _is_block(child):
            yield head, ""
            yield from _lines(child, indent + "  ")
        else:
            yield f"{head} {dump_scalar(child.plain())}", str(child.source)
    for item in node.items:
        if _is_block(item):
            first, *rest = _lines(item, indent + "  ")
            yield f"{indent}- {first[0].lstrip()}", first[1]
            yield from rest
        else:
            yield f"{indent}- {dump_scalar(item.plain())}", str(item.source)


def _is_block(node: Node) -> bool:
    """Whether the value takes lines of its own: mappings, and lists that hold mappings."""
    return bool(node.entries) or any(isinstance(item.value, dict) for item in node.items)
