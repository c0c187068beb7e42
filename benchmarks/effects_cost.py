"""Milliseconds of one core for each effect and each refiner on a portrait of 1280x720.

The clock counts the processor time of this process, so that other work on the machine blurs it little. The table in
docs/effects.md is written anew.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import cv2
import numpy as np
from _record import ROOT, record

from paddle_portrait.data.synthesis import render_empty_room, render_portrait
from paddle_portrait.effects import (
    EFFECTS,
    REFINERS,
    alpha_blend,
    build_effect,
    build_refiner,
    fit_background,
    guided_upsample,
)

SIZE_HW = (720, 1280)
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("replace", {"defringe": "fast"}),
    ("replace", {"defringe": "best"}),
    ("color_transfer", {"form": "legacy"}),
]
PAGE = ROOT / "docs" / "effects.md"
MARKS = "<!-- costs -->\n", "<!-- end of costs -->"


def cost_ms(work: Callable[[], object], rounds: int) -> float:
    """Return the median processor time of ``work()``."""
    work()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return round(float(np.median(times)) * 1e3, 2)


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Return the costs by kind and name."""
    image, alpha = render_portrait(102, SIZE_HW)
    person = np.ascontiguousarray(alpha, np.float32)
    background = np.ascontiguousarray(render_empty_room(0, SIZE_HW))
    small = cv2.resize(person, (256, 144), interpolation=cv2.INTER_AREA)
    mask = (person > 0.5).astype(np.uint8) * np.uint8(255)
    x, y, w, h = cv2.boundingRect(mask)

    def opencv_clone() -> object:
        return cv2.seamlessClone(image, background, mask.copy(), (x + w // 2, y + h // 2), cv2.NORMAL_CLONE)

    calls: dict[str, dict[str, Callable[[], object]]] = {
        "effects": {},
        "refiners": {},
        "parts": {},
        "for comparison": {},
    }
    for name, options in [*((name, {}) for name in EFFECTS.names()), *VARIANTS]:
        label = " ".join([name, *(f"{key}={value}" for key, value in options.items())])
        calls["effects"][label] = partial(build_effect(name, **options), image, person, background)
    for name in REFINERS.names():
        calls["refiners"][name] = partial(build_refiner(name), image, person)
    calls["parts"] = {
        "alpha_blend": lambda: alpha_blend(image, person, background),
        "alpha_blend accurate": lambda: alpha_blend(image, person, background, accurate=True),
        "guided_upsample 256x144": lambda: guided_upsample(image, small),
        "fit_background from 1080p": lambda: fit_background(tall, SIZE_HW, "fill"),
    }
    calls["for comparison"] = {
        "cv2.GaussianBlur, sigma 14.4": lambda: cv2.GaussianBlur(image, (0, 0), 14.4),
        "cv2.seamlessClone": opencv_clone,
    }
    tall = cv2.resize(background, (1920, 1200))
    return {kind: {name: cost_ms(work, rounds) for name, work in group.items()} for kind, group in calls.items()}


def write_table(figures: Mapping[str, Mapping[str, float]]) -> None:
    """Put the figures into the page."""
    head, rest = PAGE.read_text(encoding="utf-8").split(MARKS[0])
    lines = ["", "| kind | what | ms |", "|---|---|---|"]
    for kind, group in figures.items():
        lines += [f"| {kind} | `{name}` | {ms:.1f} |" for name, ms in group.items()]
    PAGE.write_text(f"{head}{MARKS[0]}" + "\n".join([*lines, "", MARKS[1]]) + rest.split(MARKS[1])[1], encoding="utf-8")


def main() -> None:
    """Measure, record, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="runs of each; the median counts (default: 9)")
    rounds = parser.parse_args().rounds
    cv2.setNumThreads(1)
    figures = measure(rounds)
    record("effects_cost", {"unit": "ms of one core at 1280x720", **figures})
    write_table(figures)


if __name__ == "__main__":
    main()
