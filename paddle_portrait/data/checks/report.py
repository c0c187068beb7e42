"""What a check of a data set found, for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from paddle_portrait.console import logger
from paddle_portrait.errors import UserError

Severity = Literal["error", "warning"]

_NAMED_FILES = 3


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or may be.

    Attributes:
        code: stable short name, for machines.
        severity: an ``"error"`` spoils a training; a ``"warning"`` deserves a look.
        message: what is wrong, in which files (the first few), and how to mend it.
        files: every file that it is about.
    """

    code: str
    severity: Severity
    message: str
    files: tuple[str, ...] = ()


@dataclass
class CheckReport:
    """The outcome of :func:`~paddle_portrait.data.checks.check_dataset`.

    Attributes:
        name: the data set as the config calls it.
        findings: errors and warnings in the order in which they were found.
        statistics: counts, sizes and shares of the classes; plain types only.
        looks: photo to the hash of its looks, for every photo that was decoded.
    """

    name: str
    findings: list[Finding] = field(default_factory=list)
    statistics: dict[str, Any] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)

    @property
    def errors(self) -> list[Finding]:
        """Findings that spoil a training."""
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """Findings that deserve a look."""
        return [finding for finding in self.findings if finding.severity == "warning"]

    @property
    def scope(self) -> str:
        """The name, and how much was decoded where that is not everything."""
        inspected, pairs = self.statistics.get("inspected", 0), self.statistics.get("pairs", 0)
        return self.name if inspected >= pairs else f"{self.name} ({inspected} of {pairs} pairs looked into)"

    def add(self, code: str, severity: Severity, message: str, files: Sequence[str] = ()) -> None:
        """Append a finding."""
        self.findings.append(Finding(code, severity, message, tuple(files)))

    def to_dict(self) -> dict[str, Any]:
        """Return plain types, ready for JSON."""
        return {
            "name": self.name,
            "ok": not self.errors,
            "errors": [asdict(finding) for finding in self.errors],
            "warnings": [asdict(finding) for finding in self.warnings],
            "statistics": self.statistics,
        }

    def summary(self) -> str:
        """Return a few lines for a person: counts, shares, then every finding."""
        lines = [f"{self.scope}: {self._headline()}"]
        lines += [f"  {finding.severity} [{finding.code}] {finding.message}" for finding in self.errors + self.warnings]
        return "\n".join(lines)

    def _headline(self) -> str:
        facts = self.statistics
        parts = [f"{facts['pairs']} pairs"] if "pairs" in facts else []
        if "width" in facts:
            sizes = (f"{side} {facts[side]['min']}-{facts[side]['max']}" for side in ("width", "height"))
            parts.append(", ".join(sizes))
        if "person_share" in facts:
            parts.append(f"person {facts['person_share']['mean']:.0%} of the pixels")
        counts = ((len(self.errors), "error"), (len(self.warnings), "warning"))
        parts.append(", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts))
        return "; ".join(parts)


def write_json(reports: Sequence[CheckReport], path: Path) -> None:
    """Write reports with all their files; folders are made."""
    content = {"version": 1, "ok": not any(report.errors for report in reports)}
    text = json.dumps({**content, "reports": [report.to_dict() for report in reports]}, indent=1, ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def raise_errors(reports: Sequence[CheckReport]) -> None:
    """Log the warnings of all reports, then raise their errors together.

    Raises:
        UserError: any report has an error.
    """
    for report in reports:
        for finding in report.warnings:
            logger.warning("%s: %s", report.scope, finding.message)
    wrong = [report for report in reports if report.errors]
    problems = [
        "\n  - ".join([f"{report.scope}:", *(finding.message for finding in report.errors)]) for report in wrong
    ]
    if problems:
        raise UserError(
            "the data cannot be trained on:\n"
            + "\n".join(problems)
            + "\nAll files by name, and a look at the data: python tools/check_dataset.py --config FILE --save_dir DIR"
        )


def named(files: Sequence[str], notes: Sequence[str] | None = None) -> str:
    """Return the first few names, each with its note, and how many more there are."""
    shown = [
        f"{file} ({notes[position]})" if notes is not None and notes[position] else file
        for position, file in enumerate(files[:_NAMED_FILES])
    ]
    left = len(files) - len(shown)
    return ", ".join(shown) + (f" and {left} more" if left else "")


def share(part: int, whole: int, noun: str) -> str:
    """Return ``"3 of 20 masks"``, or ``"all 20 masks"``."""
    return f"all {whole} {noun}" if part == whole and whole > 1 else f"{part} of {whole} {noun}"
