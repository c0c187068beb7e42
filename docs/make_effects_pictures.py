"""Draw docs/images/effects_*.jpg: what each effect and each refiner of a mask does to generated portraits.

Usage: python docs/make_effects_pictures.py [--out FOLDER]

No photo of a person is used.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paddle_portrait.console import run_command, track
from paddle_portrait.data.synthesis import render_empty_room, render_portrait
from paddle_portrait.effects import BackgroundSubtractor, alpha_blend, build_effect, build_refiner, estimate_foreground
from paddle_portrait.pictures import contact_sheet
from paddle_portrait.preprocess.bit_packing import pack_mask, unpack_mask

OUT = Path(__file__).resolve().parent / "images"
SIZE_HW, CELL_HW, QUALITY = (360, 480), (156, 208), 78
TALL_HW, TALL_CELL_HW = (480, 360), (208, 156)
SHIRT, TURTLENECK = 102, 108  # seeds of portraits
TREES, SHELVES, STREET = 0, 1, 8  # seeds of rooms
Cells = list[tuple[str, np.ndarray]]
Scene = tuple[np.ndarray, np.ndarray]


def portrait(seed: int, size_hw: tuple[int, int] = SIZE_HW) -> Scene:
    """Return a generated portrait and its exact probability."""
    image, alpha = render_portrait(seed, size_hw)
    return image, np.ascontiguousarray(alpha, np.float32)


def room(seed: int, size_hw: tuple[int, int] = SIZE_HW) -> np.ndarray:
    """Return a generated room without people."""
    return np.ascontiguousarray(render_empty_room(seed, size_hw))


def enlarged(part: tuple[int, int, int, int], picture: np.ndarray) -> np.ndarray:
    """Return the part (top, bottom, left, right) of a picture, three times as large."""
    top, bottom, left, right = part
    return cv2.resize(picture[top:bottom, left:right], None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)


def as_networks_see(person: np.ndarray) -> np.ndarray:
    """Return a mask as a small network might give it: coarse, vague at the outline, with a speck and a hole."""
    small = cv2.resize(person, (64, 48), interpolation=cv2.INTER_AREA)
    cv2.circle(small, (7, 14), 3, (0.95,), -1)
    cv2.circle(small, (40, 40), 1, (0.1,), -1)
    return np.clip(cv2.resize(cv2.GaussianBlur(small, (3, 3), 0), person.shape[::-1]), 0, 1)


def drawn(scene: Scene, background: np.ndarray | None, *choices: tuple[str, str, dict[str, Any]]) -> Cells:
    """Return a cell for each (caption, effect, options)."""
    return [(caption, build_effect(name, **options)(*scene, background)) for caption, name, options in choices]


def replaced() -> Cells:
    """Other places for the person."""
    scene = portrait(SHIRT)
    choices = ("cutout", "cutout", {}), ("color", "color", {}), ("replace", "replace", {})
    return [("the portrait", scene[0]), *drawn(scene, room(TREES), *choices)]


def fitted() -> Cells:
    """A wide background behind an upright picture."""
    scene = portrait(TURTLENECK, TALL_HW)
    modes = ("fit", "fill", "mirror", "stretch")
    return drawn(scene, room(TREES, (270, 480)), *((f"fit={mode}", "replace", {"fit": mode}) for mode in modes))


def blurred() -> Cells:
    """Backgrounds out of focus, and blocks."""
    return drawn(
        portrait(TURTLENECK),
        None,
        ("blur", "blur", {"radius": 0.03}),
        ("bokeh", "bokeh", {"radius": 0.05}),
        ("pixelate", "pixelate", {}),
        ("pixelate part=person", "pixelate", {"part": "person"}),
    )


def halo() -> Cells:
    """A red person before grey: what a plain blur does to the background, and what ours does."""
    disc = np.zeros(SIZE_HW, np.float32)
    cv2.ellipse(disc, (240, 360), (120, 270), 0, 0, 360, (1.0,), -1)
    person = cv2.GaussianBlur(disc, (0, 0), 1.5)
    image = alpha_blend(np.full((*SIZE_HW, 3), (220, 30, 30), np.uint8), person, np.full((*SIZE_HW, 3), 128, np.uint8))
    plain = alpha_blend(image, person, cv2.GaussianBlur(image, (0, 0), 11))
    ours = drawn((image, person), None, ("blur radius=0.03", "blur", {"radius": 0.03}))
    return [("a red person", image), ("a plain blur: halo", plain), *ours]


def matched() -> Cells:
    """Persons that suit their background."""
    return drawn(
        portrait(SHIRT),
        room(STREET),
        ("replace", "replace", {}),
        ("color_transfer", "color_transfer", {}),
        ("color_transfer form=legacy", "color_transfer", {"form": "legacy"}),
        ("harmonize", "harmonize", {}),
        ("seamless_clone", "seamless_clone", {}),
    )


def stepped() -> Cells:
    """Edges of a vague mask."""
    image, person = portrait(TURTLENECK)
    scene, part = (image, as_networks_see(person)), (20, 140, 180, 340)
    cells = drawn(
        scene,
        room(TREES),
        ("the mask as it is", "replace", {}),
        ("smooth_step", "replace", {"refine": "smooth_step"}),
        ("smooth_step form=android", "replace", {"refine": {"type": "smooth_step", "form": "android"}}),
        ("effect alpha_blend", "alpha_blend", {}),
    )
    return [(caption, enlarged(part, picture)) for caption, picture in cells]


def defringed() -> Cells:
    """Hair that still shows the old background, and does not."""
    methods = ("none", "fast", "best")
    dark = np.full((*SIZE_HW, 3), (25, 25, 60), np.uint8)
    cells = drawn(portrait(SHIRT), dark, *((f"defringe={name}", "replace", {"defringe": name}) for name in methods))
    return [(caption, enlarged((60, 180, 210, 370), picture)) for caption, picture in cells]


def refined() -> Cells:
    """A faulty mask, mended: each refiner's mask."""
    image, person = portrait(SHIRT)
    faulty = as_networks_see(person)
    cells = [("the mask as it is", faulty)]
    for name, options in (
        ("clean", {}),
        ("pp_humanseg", {}),
        ("soft_edge", {}),
        ("guided", {"mask_side": 48}),
        ("grabcut", {}),
    ):
        cells.append((name, build_refiner(name, **options)(image, faulty)))
    return cells


def subtracted() -> Cells:
    """The static camera: frames of the empty scene, then one with a person."""
    rng, empty = np.random.default_rng(0), room(SHELVES)

    def filmed(scene: np.ndarray) -> np.ndarray:
        return np.clip(scene + rng.normal(0, 4, scene.shape), 0, 255).astype(np.uint8)

    subtract = BackgroundSubtractor(frames=20)
    while not subtract.learn(filmed(empty)):
        pass
    image, person = portrait(SHIRT)
    frame = filmed(alpha_blend(estimate_foreground(image, person), person, empty))
    found = subtract(frame)
    effect = drawn((frame, found), empty, ("subtract_background", "subtract_background", {}))
    return [("the empty scene", empty), ("a frame", frame), ("the person found", found), *effect]


def packed() -> Cells:
    """A mask as the sixteenth of its bytes, and back."""
    _, person = portrait(SHIRT)
    mask = (person > 0.5).astype(np.uint8)
    numbers = pack_mask(mask)
    shown = np.rint(numbers / 256 * 255).astype(np.uint8)
    return [
        ("a hard mask, 480 wide", mask * np.uint8(255)),
        ("packed: 30 numbers wide", cv2.resize(shown, (480, 360), interpolation=cv2.INTER_NEAREST)),
        ("unpacked", unpack_mask(numbers) * np.uint8(255)),
    ]


PICTURES: dict[str, tuple[Callable[[], Cells], tuple[int, int]]] = {
    "replaced": (replaced, CELL_HW),
    "fitted": (fitted, TALL_CELL_HW),
    "blurred": (blurred, CELL_HW),
    "halo": (halo, CELL_HW),
    "matched": (matched, CELL_HW),
    "stepped": (stepped, CELL_HW),
    "defringed": (defringed, CELL_HW),
    "refined": (refined, CELL_HW),
    "subtracted": (subtracted, CELL_HW),
    "packed": (packed, CELL_HW),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the JPEGs")
    arguments = parser.parse_args(argv)

    def work() -> int:
        for name, (make, cell_hw) in track(PICTURES.items(), "drawing", len(PICTURES)):
            cells = make()
            rows = [cells[start : start + 3] for start in range(0, len(cells), 3)] if len(cells) > 5 else [cells]
            sheet = contact_sheet(
                [[picture for _, picture in row] for row in rows],
                [],
                cell_hw,
                [[text for text, _ in row] for row in rows],
            )
            file = arguments.out / f"effects_{name}.jpg"
            Image.fromarray(sheet).save(file, quality=QUALITY, optimize=True)
        return 0

    return run_command(work)


if __name__ == "__main__":
    sys.exit(main())
