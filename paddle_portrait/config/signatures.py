"""What a constructor takes: the schema of every component."""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Argument:
    """One thing that a constructor takes."""

    name: str
    annotation: Any
    required: bool


@dataclass(frozen=True)
class Signature:
    """What a constructor takes by name, and whether ``**kwargs`` takes anything else."""

    arguments: dict[str, Argument]
    is_open: bool


def signature_of(factory: Callable[..., Any]) -> Signature:
    """Return the named arguments of a class or function.

    Where an argument has no annotation, the kind of its default serves. ``**kwargs`` that are handed on to one
    other constructor, as PaddleSeg's backbones do, take what that one takes.
    """
    own = _own_signature(factory)
    if not own.is_open:
        return own
    target, given = next(_calls_with_kwargs(factory), (None, set()))
    if target is None:
        return own
    inner = signature_of(target)
    free = {name: argument for name, argument in inner.arguments.items() if name not in given}
    return Signature({**free, **own.arguments}, inner.is_open)


def _own_signature(factory: Callable[..., Any]) -> Signature:
    parameters = inspect.signature(factory).parameters.values()
    names = getattr(_function_of(factory), "__globals__", {})
    arguments = {
        p.name: Argument(p.name, _annotation_of(p, names), p.default is p.empty)
        for p in parameters
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }
    return Signature(arguments, any(p.kind is p.VAR_KEYWORD for p in parameters))


def _function_of(factory: Callable[..., Any]) -> Any:
    return factory.__init__ if inspect.isclass(factory) else inspect.unwrap(factory)


def _calls_with_kwargs(factory: Callable[..., Any]) -> Iterator[tuple[Callable[..., Any], set[str]]]:
    """Yield (callee, names that it gets beside ``**kwargs``) of the calls in ``factory`` that hand kwargs on.

    Nothing where kwargs are used in other ways, too. Callees are functions and classes of the module, and the
    ``__init__`` of a base class.
    """
    function = _function_of(factory)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return
    kwargs = next(p.name for p in inspect.signature(function).parameters.values() if p.kind is p.VAR_KEYWORD)
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == kwargs]
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and any(k.arg is None and k.value in uses for k in call.keywords):
            callee = _callee(call.func, factory, function.__globals__)
            if callee is not None and len(uses) == 1:
                by_place = list(inspect.signature(callee).parameters)[: len(call.args)]
                yield callee, {*by_place, *(keyword.arg for keyword in call.keywords if keyword.arg)}


def _callee(called: ast.expr, factory: Callable[..., Any], names: dict[str, Any]) -> Callable[..., Any] | None:
    if isinstance(called, ast.Name):
        found = names.get(called.id)
        return found if inspect.isclass(found) or inspect.isfunction(found) else None
    if inspect.isclass(factory) and ast.unparse(called).startswith("super(") and isinstance(called, ast.Attribute):
        return next((base for base in factory.__mro__[1:] if "__init__" in vars(base) and base is not object), None)
    return None


def _annotation_of(parameter: inspect.Parameter, names: dict[str, Any]) -> Any:
    if parameter.annotation is parameter.empty:
        return _kind_of_default(parameter.default)
    holder = types.SimpleNamespace(__annotations__={"it": parameter.annotation})
    try:
        annotation = typing.get_type_hints(holder, globalns=names, include_extras=True)["it"]
    except (NameError, TypeError, AttributeError):  # names imported for the type checker alone
        return Any
    return annotation | None if parameter.default is None and annotation is not Any else annotation


def _kind_of_default(default: Any) -> Any:
    if isinstance(default, bool):
        return bool
    if isinstance(default, (int, float)):
        return float | list[float] | None
    if isinstance(default, str):
        return str | None
    if isinstance(default, (list, tuple)) and all(isinstance(item, (int, float)) for item in default):
        return float | list | None
    return Any
