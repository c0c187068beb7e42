"""The tree that a YAML file becomes: plain values, each of which knows the file and line it came from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from paddle_portrait.errors import UserError

Scalar: TypeAlias = "str | int | float | bool | None"
Path: TypeAlias = "tuple[str | int, ...]"


@dataclass(frozen=True)
class Source:
    """Where a value was written: a file with its line, or a flag of the command line.

    Attributes:
        name: the file, or the flag.
        line: counted from 1; None for a flag.
        is_new: the flag set a key that no file has.
    """

    name: str
    line: int | None = None
    is_new: bool = False

    def __str__(self) -> str:
        return self.name if self.line is None else f"{self.name}:{self.line}"


@dataclass
class Node:
    """A value of a config with its source; mappings and lists hold further nodes.

    The source of an entry of a mapping is the line of its key.
    """

    value: dict[str, Node] | list[Node] | Scalar
    source: Source

    @property
    def entries(self) -> dict[str, Node]:
        """The entries of a mapping; empty for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """The items of a list; empty for anything else."""
        return self.value if isinstance(self.value, list) else []

    def plain(self) -> Any:
        """Return a fresh copy in dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def child(self, step: str | int) -> Node | None:
        """Return the entry ``step``, or None; an index into a list may be text, as in ``--opts``."""
        if isinstance(self.value, list):
            index = int(step) if str(step).isdigit() else -1
            return self.value[index] if 0 <= index < len(self.value) else None
        return self.entries.get(str(step))


def from_plain(value: Any, source: Source) -> Node:
    """Return ``value`` (dicts, lists, scalars) as a tree in which everything comes from ``source``."""
    if isinstance(value, dict):
        return Node({str(key): from_plain(child, source) for key, child in value.items()}, source)
    if isinstance(value, (list, tuple)):
        return Node([from_plain(child, source) for child in value], source)
    return Node(value, source)


def parse_path(text: str) -> list[str]:
    """Split ``train_dataset.transforms.0.prob`` or ``train_dataset.transforms[0].prob`` into its steps."""
    return re.sub(r"\[(\d+)\]", r".\1", text).split(".")


def format_path(path: Path) -> str:
    """Return the dotted form of ``path`` with list indices in brackets."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def show(value: Any, limit: int = 60) -> str:
    """Return ``value`` as it should stand in a message: strings quoted, long values cut."""
    words = {None: "null", True: "true", False: "false"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


@dataclass(frozen=True)
class Problem:
    """One mistake in a config; prints as ``file.yml:12: dotted.path: what is wrong and how to mend it``."""

    source: Source
    path: Path
    text: str

    def __str__(self) -> str:
        where = format_path(self.path)
        return f"{self.source}: {where}: {self.text}" if where else f"{self.source}: {self.text}"


class ConfigError(UserError):
    """All that is wrong with a config, one line each.

    Attributes:
        problems: the mistakes, in the order of their files and lines.
    """

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = _in_reading_order(problems)
        count = f"{len(self.problems)} mistakes in the config:\n" if len(self.problems) > 1 else ""
        super().__init__(count + "\n".join(map(str, self.problems)))


def _in_reading_order(problems: list[Problem]) -> list[Problem]:
    unique = list(dict.fromkeys(problems))
    names = list(dict.fromkeys(problem.source.name for problem in unique))
    return sorted(unique, key=lambda problem: (names.index(problem.source.name), problem.source.line or 0))


@dataclass
class Findings:
    """Collects problems, so that all of them can be shown at once.

    Attributes:
        is_partial: the config is one for others to build on, in which nothing has to be complete.
        problems: what was found so far.
    """

    is_partial: bool = False
    problems: list[Problem] = field(default_factory=list)

    def add(self, source: Source, path: Path, text: str) -> None:
        """Note one mistake."""
        self.problems.append(Problem(source, path, text))

    def add_missing(self, source: Source, path: Path, text: str) -> None:
        """Note that something is missing, unless the config is a partial one."""
        if not self.is_partial:
            self.add(source, path, text)

    def raise_if_any(self) -> None:
        """Raise one :class:`ConfigError` with everything noted so far, if there is anything."""
        if self.problems:
            raise ConfigError(self.problems)
