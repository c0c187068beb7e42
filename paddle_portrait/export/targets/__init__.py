"""Formats that a model is exported to: one module each, named as the format is in flags, folders and reports.

A module has ``write(job, folder) -> TargetFiles``, which writes the target's files into ``folder``, and
``count_operators(folder, files) -> dict[str, int]``. It may build on another target with ``job.build(name)``.
It imports Paddle and converters only inside its functions. A new format is a new module; nothing else changes.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.inference.deploy_file import TargetFiles

if TYPE_CHECKING:
    from paddle_portrait.export.job import ExportJob

# Formats that Paddle itself reads: the first one asked for lies at the top of the exported directory.
PADDLE_FORMATS = ("paddle", "paddle_legacy")


class Target(Protocol):
    """What a module of this package offers."""

    def write(self, job: ExportJob, folder: Path) -> TargetFiles:
        """Write the target into ``folder`` and return its files, relative to it."""
        ...

    def count_operators(self, folder: Path, files: TargetFiles) -> dict[str, int]:
        """Return how many operators of each type the graph holds."""
        ...


def target_names() -> list[str]:
    """Return the names of all formats."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load_target(name: str) -> Target:
    """Return the module of format ``name``."""
    return cast(Target, importlib.import_module(f"{__name__}.{name}"))


def check_formats(formats: Sequence[str]) -> None:
    """Raise UserError when ``formats`` is empty, names a format twice or one that does not exist."""
    names = target_names()
    if not formats:
        raise UserError(f"no export format was asked for. Allowed: {', '.join(names)}.")
    for name in formats:
        if name not in names:
            raise UserError(describe_unknown("export format", str(name), names))
    if len(set(formats)) != len(formats):
        raise UserError(f"an export format is named twice: {', '.join(formats)}.")
