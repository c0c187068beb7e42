"""The record of looks at final splits, in the model card beside the weights."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from paddle_portrait.errors import UserError
from paddle_portrait.report.figures import present

CARD_NAME = "MODEL_CARD.md"
HEADING = "## Final evaluations"

_INTRODUCTION = "Each look at a split that is kept for the last figure, never for choosing a model."


def card_path(weights_file: str | Path) -> Path:
    """Return where the model card of a weight file lies: beside it."""
    return Path(weights_file).parent / CARD_NAME


def check_writable(card: Path) -> None:
    """Raise a UserError unless ``card`` can be written: a final look that leaves no record is not taken."""
    target = card if card.exists() else card.parent
    if not os.access(target, os.W_OK):
        raise UserError(
            f"the look at a final split must be recorded in '{card}', which cannot be written. "
            "Copy the weights to a folder of yours and judge them there."
        )


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 sum of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def earlier_looks(card: Path, data: str, weights_sha256: str) -> list[str]:
    """Return the entries of ``card`` about the same weights and the same data."""
    if not card.is_file():
        return []
    lines = card.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("- ") and data in line and weights_sha256[:16] in line]


def record_look(card: Path, date: str, data: str, weights_sha256: str, summary: Mapping[str, float]) -> None:
    """Append a dated line with the figures to the card's section of final evaluations.

    The card is made where there is none, and the section where it is missing; the rest stays as it is.

    Raises:
        UserError: the card cannot be written.
    """
    figures = ", ".join(f"{figure.title} {figure.write(value)}" for figure, value in present(summary))
    entry = f"- {date}: {data}, weights sha256 {weights_sha256[:16]}…: {figures}"
    text = card.read_text(encoding="utf-8") if card.is_file() else "# Model card\n"
    lines = text.rstrip("\n").splitlines()
    if HEADING not in lines:
        lines += ["", HEADING, "", _INTRODUCTION, ""]
    after = lines.index(HEADING) + 1
    end = next((n for n in range(after, len(lines)) if lines[n].startswith(("## ", "# "))), len(lines))
    while end > after and lines[end - 1] == "" and lines[end - 2].startswith("- "):
        end -= 1
    lines.insert(end, entry)
    staging = card.with_name(card.name + ".tmp")
    try:
        staging.write_text("\n".join(lines) + "\n", encoding="utf-8")
        os.replace(staging, card)
    except OSError as error:
        raise UserError(f"cannot record the final look in '{card}': {error.strerror}.") from None
