"""YAML text to nodes and back.

YAML 1.2's scalars rather than PyYAML's 1.1: ``1e-3`` is a number, ``no``, ``off`` and ``yes`` are words
(an argument that is a switch understands them), ``010`` is ten, and there are no dates or base-60 numbers.
Keys given twice are errors. Tags, and with them every way to construct an object, are refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from paddle_portrait.config.nodes import Findings, Node, Source
from paddle_portrait.errors import nearest_name

_MOST_NODES = 20_000  # an anchor repeated within anchors grows without bound
_MOST_DEPTH = 60
_TAG = "tag:yaml.org,2002:"
_SCALARS = (  # tag, pattern, characters it can begin with; the first that matches wins
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("merge", r"<<", "<"),
)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute


for _name, _pattern, _first in _SCALARS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            _TAG + _name, re.compile(rf"^(?:{_pattern})$"), ["" if c == "\0" else c for c in _first]
        )


def read_yaml(path: str, findings: Findings) -> Node | None:
    """Read the mapping in the file ``path``; None when there is none, which ``findings`` then explains."""
    text = _read_text(path, findings)
    return None if text is None else parse_yaml(text, Source(path, 1), findings)


def parse_yaml(text: str, source: Source, findings: Findings) -> Node | None:
    """Parse ``text`` to a mapping. Lines count from ``source``'s."""
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        findings.add(Source(source.name, line + 1), (), _explain_syntax(error, text, line))
        return None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        findings.add(Source(source.name, line), (), f"the character U+{error.character:04X} is not allowed")
        return None
    except RecursionError:
        findings.add(source, (), "the values are nested too deeply")
        return None
    if not isinstance(root, yaml.MappingNode):
        found = {yaml.SequenceNode: "a list", yaml.ScalarNode: "a single value"}.get(type(root), "nothing")
        findings.add(source, (), f"a config is a mapping such as 'batch_size: 8'; this file holds {found}")
        return None
    return _Converter(source.name, findings).convert(root, (), Source(source.name, root.start_mark.line + 1))


def parse_value(text: str) -> Any:
    """Return the value that ``text`` has in YAML, as plain dicts, lists and scalars.

    Raises:
        ValueError: it is not one value of YAML.
    """
    findings = Findings()
    root = parse_yaml(f"value: {text}", Source("value", 1), findings)
    if root is None or findings.problems or set(root.entries) != {"value"}:
        raise ValueError(f"cannot read {text!r} as a value in YAML")
    return root.entries["value"].plain()


def nearest_file(path: str) -> str:
    """Return words that offer the YAML of the same folder whose name is most like a missing one's; or nothing."""
    folder = Path(path).parent
    if not folder.is_dir():
        return f", for there is no folder '{folder}'"
    stems = {other.stem: other for other in sorted(folder.glob("*.y*ml")) if other.is_file()}
    nearest = nearest_name(Path(path).stem, stems)
    return f". Did you mean '{stems[nearest]}'?" if nearest else ""


def dump_scalar(value: Any) -> str:
    """Return ``value`` (a scalar, or a list or mapping for the flow style) as YAML that reads back the same."""
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _read_text(path: str, findings: Findings) -> str | None:
    if not Path(path).is_file():
        what = "is a folder; name a file in it" if Path(path).is_dir() else f"no such file{nearest_file(path)}"
        findings.add(Source(path), (), what)
        return None
    data = Path(path).read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        findings.add(Source(path, line), (), f"not UTF-8 (byte 0x{data[error.start]:02x}); save the file as UTF-8")
        return None


def _explain_syntax(error: yaml.MarkedYAMLError, text: str, line: int) -> str:
    lines = text.splitlines()
    content = lines[line].strip() if line < len(lines) else ""
    problem = error.problem or "unreadable"
    if "mapping values are not allowed" in problem:
        problem = "two keys on one line, or a text with ': ' that needs quotes"
    elif "\\t" in problem:
        problem = "a tab; indent with spaces"
    return f"not valid YAML: {problem}" + (f", at `{content}`" if content else "")


class _Converter:
    """Turns PyYAML's graph into our tree, in which an anchor's value is copied to each of its aliases."""

    def __init__(self, file: str, findings: Findings) -> None:
        self._file = file
        self._findings = findings
        self._count = 0

    def convert(self, node: yaml.Node, path: tuple[str | int, ...], source: Source) -> Node:
        self._count += 1
        if len(path) > _MOST_DEPTH or self._count > _MOST_NODES:
            if self._count < 2 * _MOST_NODES:
                self._findings.add(source, path[:3], "anchors that contain themselves, or too many values")
                self._count = 2 * _MOST_NODES
            return Node(None, source)
        if isinstance(node, yaml.MappingNode):
            return Node(self._mapping(node, path), source)
        if isinstance(node, yaml.SequenceNode):
            self._refuse_tag(node, path, "seq")
            children = enumerate(node.value)
            return Node([self.convert(child, (*path, i), self._source(child)) for i, child in children], source)
        return Node(self._scalar(node, path), source)

    def _source(self, node: yaml.Node) -> Source:
        return Source(self._file, node.start_mark.line + 1)

    def _mapping(self, node: yaml.MappingNode, path: tuple[str | int, ...]) -> dict[str, Node]:
        self._refuse_tag(node, path, "map")
        merged: dict[str, Node] = {}
        own: dict[str, Node] = {}
        for key_node, value_node in node.value:
            source = self._source(key_node)
            if key_node.tag == _TAG + "merge":
                merged = {**self._merged(value_node, path, source), **merged}
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._findings.add(source, path, "a key must be a word, not a list or mapping")
                continue
            key = key_node.value
            if key in own:
                self._findings.add(source, (*path, key), f"key given twice (first at line {own[key].source.line})")
            own[key] = self.convert(value_node, (*path, key), source)
        return {**merged, **own}

    def _merged(self, node: yaml.Node, path: tuple[str | int, ...], source: Source) -> dict[str, Node]:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Node] = {}
        for part in parts:
            if not isinstance(part, yaml.MappingNode):
                self._findings.add(source, path, "'<<' takes a mapping or a list of mappings")
                continue
            merged = {**self.convert(part, path, source).entries, **merged}
        return merged

    def _scalar(self, node: yaml.Node, path: tuple[str | int, ...]) -> str | int | float | bool | None:
        kind = node.tag.removeprefix(_TAG)
        text: str = node.value
        try:
            if kind == "int":
                return int(text, 0 if text[:2] in ("0o", "0x") else 10)
            if kind == "float":
                return float(text.replace(".inf", "inf").replace(".nan", "nan") if text[-1].isalpha() else text)
        except ValueError:
            self._findings.add(self._source(node), path, f"'{text[:40]}' is not a number")
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind == "null":
            return None
        self._refuse_tag(node, path, "str", "merge")
        return text

    def _refuse_tag(self, node: yaml.Node, path: tuple[str | int, ...], *allowed: str) -> None:
        if node.tag.removeprefix(_TAG) not in allowed:
            self._findings.add(self._source(node), path, f"the tag '{node.tag.replace(_TAG, '!!')}' is not allowed")
