"""Formats that a model is exported to: one module each, named as the format is in flags, folders and reports.

A module must have

- ``write(job, folder) -> TargetFiles``: write the target's files into ``folder`` and return them, relative to it. It
  may build on another target with ``job.build(name)``, and calls converters through :func:`run_converter`;
- ``count_operators(folder, files) -> dict[str, int]``.

It may have

- ``LIMIT``: how far its answers may be from the trained network's (default :data:`FLOAT_LIMIT`);
- ``VARIANT_LIMITS``: the same for those of its ``TargetFiles.variants`` that this machine can run, by their names; the
  others are reported as not run;
- ``LEFT_OUT_TOGETHER``: variants that it does without where one of them is over its limit: that one's name, and the
  names of all that go with it. Any other variant over its limit makes the export fail;
- ``refusal(job) -> str | None``: why this target cannot hold what the job asks for (an option, a free size, a type
  of input), asked before anything is written;
- ``operator_names() -> set[str]``: the operators that the runtime says it has, by their names in Paddle's legacy
  format; it raises MissingPackageError where the list cannot be had;
- ``MOST_TRIALS``: how many of the proof's inputs it is run on, where each takes long (default: all);
- ``NEEDS_PHOTOS = True``, where no export but only ``tools/quantize.py`` can write it;
- ``open_runner(directory, files, threads) -> Backend``, for a target that is no back end of the predictor; it raises
  :class:`~paddle_portrait.export.errors.CannotRunHereError` where the machine lacks what runs it.

It imports Paddle and converters only inside its functions. A new format is a new module; nothing else changes.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.export.errors import CannotRunHereError, ExportError, MissingPackageError
from paddle_portrait.inference.backends import RUNTIMES, Backend, open_backend
from paddle_portrait.inference.deploy_file import TargetFiles

if TYPE_CHECKING:
    from paddle_portrait.export.job import ExportJob
    from paddle_portrait.export.masks import MaskAgreement

# Formats that Paddle itself reads: the first one asked for lies at the top of the exported directory.
PADDLE_FORMATS = ("paddle", "paddle_legacy")


class Limit(NamedTuple):
    """What an exported target must keep to.

    Attributes:
        value: the largest difference of a probability, or the least IoU of the two masks (where a mask has one class
            only, :class:`~paddle_portrait.export.masks.MaskAgreement` says what counts).
        measure: ``"max_abs_diff"`` or ``"mask_iou"``: the name in ``parity.json`` that ``value`` limits.
    """

    value: float
    measure: str = "max_abs_diff"

    def is_kept(self, max_abs_diff: float, masks: MaskAgreement) -> bool:
        """Tell whether figures are within the limit; masks prove something only where they have both classes."""
        return max_abs_diff <= self.value if self.measure == "max_abs_diff" else masks.is_kept(self.value)


FLOAT_LIMIT = Limit(1e-4)
HALF_LIMIT = Limit(2e-3)
INT8_LIMIT = Limit(0.98, "mask_iou")


class Target(Protocol):
    """What every module of this package offers; see above for what it may offer besides."""

    def write(self, job: ExportJob, folder: Path) -> TargetFiles:
        """Write the target into ``folder`` and return its files, relative to it."""
        ...

    def count_operators(self, folder: Path, files: TargetFiles) -> dict[str, int]:
        """Return how many operators of each type the graph holds."""
        ...


def target_names() -> list[str]:
    """Return the names of all formats."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def exportable_names() -> list[str]:
    """Return the names of the formats that a network alone suffices for; the others need photos to quantise with."""
    return [name for name in target_names() if not getattr(load_target(name), "NEEDS_PHOTOS", False)]


def load_target(name: str) -> Target:
    """Return the module of format ``name``."""
    return cast(Target, importlib.import_module(f"{__name__}.{name}"))


def limit_of(name: str) -> Limit:
    """Return the limit of format ``name``."""
    return getattr(load_target(name), "LIMIT", FLOAT_LIMIT)


def variant_limits_of(name: str) -> Mapping[str, Limit]:
    """Return the limits of those variants of format ``name`` that can run here."""
    return getattr(load_target(name), "VARIANT_LIMITS", {})


def open_target(name: str, directory: Path, files: TargetFiles, threads: int | None = 1) -> Backend:
    """Load what was written of format ``name``: in the predictor's back end, else in the target's own runner.

    Raises:
        CannotRunHereError: nothing on this machine runs it.
        UserError: the runtime refuses the files.
    """
    if name in RUNTIMES:
        if not RUNTIMES[name].installed():
            raise CannotRunHereError(f"to check it: {RUNTIMES[name].install}")
        return open_backend(name, directory, files, threads)
    runner = getattr(load_target(name), "open_runner", None)
    if runner is None:
        raise CannotRunHereError("nothing on this machine runs it")
    return runner(directory, files, threads)


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


def check_refusals(job: ExportJob, formats: Sequence[str]) -> None:
    """Raise ExportError when one of ``formats`` cannot hold what the job asks for."""
    for name in formats:
        refusal = getattr(load_target(name), "refusal", None)
        why = refusal(job) if refusal is not None else None
        if why:
            raise ExportError(f"format {name}: {why}")


def require_packages(target: str, modules: Sequence[str], install: str) -> None:
    """Raise MissingPackageError unless all ``modules`` can be imported; ``install`` is the command for them."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise MissingPackageError(
            f"format {target} needs packages that are not installed ({', '.join(missing)}): {install}"
        )
