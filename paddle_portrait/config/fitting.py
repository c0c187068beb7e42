"""Does a YAML value fit a Python annotation? The types of constructors and sections are the config's schema."""

from __future__ import annotations

import collections.abc
import os
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from paddle_portrait.config.nodes import Node, show

_SWITCH_WORDS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
_SEQUENCES = (list, tuple, collections.abc.Sequence, collections.abc.Iterable)
_MAPPINGS = (dict, collections.abc.Mapping)


@dataclass(frozen=True)
class Between:
    """A bound on a number, for use in ``Annotated[int, Between(1)]``; both ends are included."""

    low: float | None = None
    high: float | None = None

    def allows(self, value: Any) -> bool:
        """Whether the number ``value`` lies within the bounds; NaN does not."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        if self.high is None:
            return f"of at least {self.low}"
        return f"of at most {self.high}" if self.low is None else f"from {self.low} to {self.high}"


@dataclass(frozen=True)
class Lengths:
    """The lengths that a list may have, for use in ``Annotated[list[int], Lengths(2, 4)]``."""

    allowed: tuple[int, ...]

    def __init__(self, *allowed: int) -> None:
        object.__setattr__(self, "allowed", allowed)

    def allows(self, value: Any) -> bool:
        """Whether the list ``value`` has one of the lengths."""
        return len(value) in self.allowed

    def __str__(self) -> str:
        return f"of {' or '.join(map(str, self.allowed))} values"


def fit(node: Node, annotation: Any) -> Node | None:
    """Return ``node`` as ``annotation`` wants it, or None when it does not fit.

    Only lossless changes are made: ``5e4`` where a whole number is due, ``yes`` where a switch is due.
    What the annotation says beyond scalars, lists and mappings (arrays, layers, callables) is not judged.
    """
    exact = _fit(node, annotation, lenient=False)
    return exact if exact is not None else _fit(node, annotation, lenient=True)


def describe(annotation: Any) -> str:
    """Return the words for what ``annotation`` allows, such as ``a number or a list of such, or null``."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return " ".join([describe(arguments[0]), *(str(limit) for limit in arguments[1:] if _is_limit(limit))])
    if origin in (Union, types.UnionType):
        return _describe_union(arguments)
    if origin is Literal:
        return _either([show(choice) for choice in arguments])
    if annotation in _SEQUENCES or origin in _SEQUENCES:
        return _describe_sequence(origin, arguments)
    if annotation in _MAPPINGS or origin in _MAPPINGS:
        return "a mapping"
    words: dict[Any, str] = {
        int: "a whole number",
        float: "a number",
        bool: "true, false",
        str: "a text",
        Path: "a path",
    }
    words |= {None: "null", type(None): "null", os.PathLike: "a path"}
    return words.get(annotation, getattr(annotation, "__name__", str(annotation)))


def items_that_misfit(node: Node, annotation: Any) -> list[tuple[int, Any]]:
    """Return (index, annotation of an item) for what is wrong within a list that may be one; else nothing."""
    for part in _alternatives(annotation):
        arguments = typing.get_args(part)
        if typing.get_origin(part) in _SEQUENCES and (len(arguments) == 1 or arguments[-1] is Ellipsis):
            return [(index, arguments[0]) for index, item in enumerate(node.items) if fit(item, arguments[0]) is None]
    return []


def mentions(annotation: Any, kind: type) -> bool:
    """Whether ``annotation`` names ``kind``, at any depth."""
    return annotation is kind or any(mentions(part, kind) for part in typing.get_args(annotation))


def literal_choices(annotation: Any) -> list[str]:
    """Return the texts among the literals that ``annotation`` lists, at any depth."""
    if typing.get_origin(annotation) is Literal:
        return [choice for choice in typing.get_args(annotation) if isinstance(choice, str)]
    return [text for part in typing.get_args(annotation) for text in literal_choices(part)]


def _fit(node: Node, annotation: Any, lenient: bool) -> Node | None:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        fitted = _fit(node, arguments[0], lenient)
        kept = fitted is not None and all(limit.allows(fitted.value) for limit in arguments[1:] if _is_limit(limit))
        return fitted if kept else None
    if origin in (Union, types.UnionType):
        return next((fitted for part in arguments if (fitted := _fit(node, part, lenient)) is not None), None)
    if origin is Literal:
        return node if any(node.value == c and type(node.value) is type(c) for c in arguments) else None
    if annotation in _SEQUENCES or origin in _SEQUENCES:
        return _fit_sequence(node, origin, arguments, lenient)
    if annotation in _MAPPINGS or origin in _MAPPINGS:
        return node if isinstance(node.value, dict) else None
    return _fit_scalar(node, annotation, lenient)


def _fit_scalar(node: Node, annotation: Any, lenient: bool) -> Node | None:
    value = node.value
    if annotation in (None, type(None)):
        return node if value is None else None
    if annotation is bool:
        if lenient and isinstance(value, str) and value.lower() in _SWITCH_WORDS:
            return Node(_SWITCH_WORDS[value.lower()], node.source)
        return node if isinstance(value, bool) else None
    if annotation is int:
        if lenient and isinstance(value, float) and value.is_integer():
            return Node(int(value), node.source)
        return node if isinstance(value, int) and not isinstance(value, bool) else None
    if annotation is float:
        return node if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    if annotation in (str, Path, os.PathLike):
        return node if isinstance(value, str) else None
    return node


def _fit_sequence(node: Node, origin: Any, arguments: tuple[Any, ...], lenient: bool) -> Node | None:
    if not isinstance(node.value, list):
        return None
    if not arguments:
        return node
    wanted = list(arguments)
    if origin is not tuple or arguments[-1] is Ellipsis:
        wanted = [arguments[0]] * len(node.value)
    if len(wanted) != len(node.value):
        return None
    fitted = [_fit(item, part, lenient) for item, part in zip(node.value, wanted, strict=True)]
    return None if any(item is None for item in fitted) else Node([i for i in fitted if i is not None], node.source)


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) is Annotated:
        return _alternatives(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return tuple(part for each in typing.get_args(annotation) for part in _alternatives(each))
    return (annotation,)


def _describe_union(parts: tuple[Any, ...]) -> str:
    texts: list[str] = []
    for part in parts:
        inner = typing.get_args(part)
        is_list_of_another = typing.get_origin(part) in _SEQUENCES and len(inner) == 1 and inner[0] in parts
        texts.append("a list of such" if is_list_of_another else describe(part))
    texts = sorted(dict.fromkeys(texts), key=lambda text: (text == "null", text == "a list of such"))
    return _either(texts)


def _either(texts: list[str]) -> str:
    return ", ".join(texts[:-1]) + (" or " if texts[1:] else "") + texts[-1]


def _describe_sequence(origin: Any, arguments: tuple[Any, ...]) -> str:
    if not arguments:
        return "a list"
    if origin is tuple and arguments[-1] is not Ellipsis:
        kinds = list(dict.fromkeys(describe(part) for part in arguments))
        return f"a list of {len(arguments)} values, each {' or '.join(kinds)}"
    return f"a list, each {describe(arguments[0])}"


def _is_limit(limit: Any) -> bool:
    return isinstance(limit, (Between, Lengths))
