"""Options of effects and mask refiners: one table, read off a function's signature.

A function declares an option once, as a keyword argument with its default, whose annotation says the rest::

    def pixelate(image, person, *, block: Annotated[int, Range(2, 256), "side of a block, pixels"] = 16): ...

From that the command line, the preview page and the server know what to show and what to refuse.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from paddle_portrait.errors import UnknownNameError, UserError, describe_unknown

Color = tuple[int, int, int]

_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


@dataclass(frozen=True)
class Range:
    """Smallest and largest value of a number, both allowed."""

    low: float
    high: float


@dataclass(frozen=True)
class Option:
    """One option of an effect or a refiner.

    Attributes:
        name: keyword.
        kind: ``float``, ``int``, ``bool``, ``choice``, ``color`` (R, G, B from 0 to 255) or ``file``. A server must
            not take a ``file`` from its clients.
        default: value where none is given.
        help: what it does, its unit.
        low: smallest number allowed.
        high: largest number allowed.
        choices: allowed words of a ``choice``.
    """

    name: str
    kind: str
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the option as JSON-able values; what does not apply is left out."""
        entry: dict[str, Any] = {"name": self.name, "type": self.kind, "default": self.default, "help": self.help}
        if self.low is not None:
            entry |= {"low": self.low, "high": self.high}
        if self.choices:
            entry["choices"] = list(self.choices)
        return entry

    def allowed(self) -> str:
        """Return in words what values are allowed."""
        words = {
            "bool": "true or false",
            "choice": f"one of {', '.join(self.choices)}",
            "color": "R,G,B, each from 0 to 255, or #rrggbb",
            "file": "the path of a file",
        }
        number = "a whole number" if self.kind == "int" else "a number"
        return words.get(self.kind) or f"{number} from {self.low:g} to {self.high:g}"

    def convert(self, value: Any, owner: str) -> Any:
        """Return ``value``, a Python value or the text of one, as the function takes it.

        Raises:
            UserError: it is not allowed; the message names ``owner``, the option and what is allowed.
        """
        try:
            converted = _CONVERTERS[self.kind](value)
        except (TypeError, ValueError):
            converted = None
        fits = converted is not None and (not self.choices or converted in self.choices)
        if fits and self.low is not None and self.high is not None:
            fits = self.low <= converted <= self.high
        if fits:
            return converted
        if value is None and self.default is None:
            return None
        raise UserError(f"{owner}: {self.name} is {value!r}; allowed: {self.allowed()} (default: {self.default}).")


@cache
def options_of(function: Callable[..., Any]) -> tuple[Option, ...]:
    """Return the options of a function: its keyword-only arguments, in order."""
    hints = get_type_hints(function, include_extras=True)
    keywords = [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    return tuple(_option(parameter.name, hints[parameter.name], parameter.default) for parameter in keywords)


def check_options(owner: str, options: Sequence[Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options with their values: those given, checked, and the defaults of the others.

    Args:
        owner: for messages, such as ``"effect 'blur'"``.
        options: what is allowed.
        given: values, or their texts, by name.

    Raises:
        UserError: an unknown name, or a value that is not allowed.
    """
    by_name = {option.name: option for option in options}
    for name in given:
        if name not in by_name:
            raise UnknownNameError(f"{owner}: {describe_unknown('option', name, by_name)}")
    return {
        option.name: option.convert(given[option.name], owner) if option.name in given else option.default
        for option in options
    }


def split_assignments(texts: Sequence[str]) -> dict[str, str]:
    """Return ``{"radius": "0.1"}`` for ``["radius=0.1"]``, as command lines give options.

    Raises:
        UserError: a text without ``=``, or a name given twice.
    """
    given: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UserError(f"'{text}' is no option; write NAME=VALUE, such as radius=0.1.")
        if name in given:
            raise UserError(f"option '{name}' is given twice: {given[name]} and {value}.")
        given[name] = value
    return given


def _option(name: str, annotation: Any, default: Any) -> Option:
    plain, *extras = get_args(annotation)
    limits = next((extra for extra in extras if isinstance(extra, Range)), None)
    text = next(extra for extra in extras if isinstance(extra, str))
    low, high = (limits.low, limits.high) if limits else (None, None)
    if get_origin(plain) is Literal:
        return Option(name, "choice", default, text, choices=get_args(plain))
    return Option(name, _KINDS[plain], default, text, low, high)


def _to_float(value: Any) -> float | None:
    number = float(value)
    return None if isinstance(value, bool) or not math.isfinite(number) else number


def _to_int(value: Any) -> int | None:
    number = _to_float(value)
    return int(number) if number is not None and number == int(number) else None


def _to_bool(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    return word in _TRUE if word in _TRUE | _FALSE else None


def _to_word(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _to_color(value: Any) -> Color | None:
    if isinstance(value, str) and value.strip().startswith("#"):
        digits = value.strip()[1:]
        value = [int(digits[at : at + 2], 16) for at in (0, 2, 4)] if len(digits) == 6 else ()
    elif isinstance(value, str):
        value = value.replace(",", " ").split()
    numbers = [_to_int(number) for number in value]
    if len(numbers) != 3 or not all(number is not None and 0 <= number <= 255 for number in numbers):
        return None
    red, green, blue = (int(number or 0) for number in numbers)
    return red, green, blue


def _to_file(value: Any) -> Path | None:
    return Path(value) if isinstance(value, Path) or (isinstance(value, str) and value) else None


_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    "float": _to_float,
    "int": _to_int,
    "bool": _to_bool,
    "choice": _to_word,
    "color": _to_color,
    "file": _to_file,
}
_KINDS: Mapping[Any, str] = {float: "float", int: "int", bool: "bool", Color: "color", Path | None: "file"}
