"""docs/effects.md names every effect, refiner and option as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paddle_portrait.effects import EFFECTS, REFINERS, describe_effects, describe_refiners

PAGE = Path(__file__).resolve().parents[2] / "docs" / "effects.md"


def option_rows(kind: str) -> list[str]:
    """Return the rows of the page's table of options."""
    entries = describe_effects() if kind == "effects" else describe_refiners()
    return [
        f"| `{entry['name']}` | `{option['name']}` | {allowed(option)} | {default(option)} | {option['help']} |"
        for entry in entries
        for option in entry["options"]
        if option["name"] != "fit"
    ]


def allowed(option: dict[str, Any]) -> str:
    if "low" in option:
        return f"{option['low']:g} to {option['high']:g}"
    return ", ".join(option.get("choices", [])) or {"color": "R,G,B or #rrggbb"}.get(option["type"], option["type"])


def default(option: dict[str, Any]) -> str:
    value = option["default"]
    return (
        ",".join(map(str, value)) if isinstance(value, list | tuple) else "none given" if value is None else str(value)
    )


@pytest.mark.parametrize("kind", ["effects", "refiners"])
def test_the_tables_of_options_are_true(kind: str) -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert [row for row in option_rows(kind) if row not in lines] == []


def test_every_effect_and_refiner_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in [*EFFECTS.names(), *REFINERS.names()] if f"`{name}`" not in text] == []
