"""Draw docs/images/augmentation.jpg: what each augmentation does to generated portraits, a row each.

Usage: python docs/make_augmentation_pictures.py [--out FILE]

No photo of a person is used. The outline of the label is drawn where a transform moves it; a prior is tinted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paddle_portrait.console import run_command, track
from paddle_portrait.data.sample import Sample
from paddle_portrait.data.synthesis import render_portrait
from paddle_portrait.pictures import contact_sheet, overlay
from paddle_portrait.registry import TRANSFORMS

OUT = Path(__file__).resolve().parent / "images" / "augmentation.jpg"
CELL_HW, QUALITY = (112, 120), 80
PORTRAIT_SEEDS = (41, 57, 52, 67, 78, 87, 48)  # well-lit ones, some of them cut off at a side
OUTLINE = (255, 220, 0)

# Probabilities are 1 so that every cell shows something.
ROWS: list[tuple[str, dict[str, Any]]] = [
    ("PortraitDeformation", {}),
    ("PortraitTexture", {"prob": 1.0}),
    ("SlimNetAugmentation", {"prob": 0.7}),
    ("WarmCoolFilter", {"prob": 1.0}),
    ("RandomCurve", {"prob": 1.0}),
    ("RandomShade", {"prob": 1.0}),
    ("LowLight", {"prob": 1.0}),
    ("MotionBlur", {"prob": 1.0}),
    ("RandomSharpness", {"prob": 1.0, "factor": [0.0, 3.0]}),
    ("JpegArtefacts", {"prob": 1.0, "quality": [8, 30]}),
    ("RandomBackground", {"prob": 1.0, "landscape_prob": 0.6, "empty_prob": 0.25}),
    ("RandomSecondPerson", {"prob": 1.0}),
    ("SimulatePrior", {"empty_prob": 0.2, "jitter": 0.08}),
]
MOVING = {"PortraitDeformation", "SlimNetAugmentation", "RandomBackground", "RandomSecondPerson"}


def make_portraits() -> list[Sample]:
    """Return one generated portrait a column, each with the next one as the data set's other sample."""
    samples = []
    for seed in PORTRAIT_SEEDS:
        image, alpha = render_portrait(seed, (256, 224))
        samples.append(Sample(image, (alpha > 0.5).astype(np.uint8), f"portrait {seed}"))
    following = [*samples[1:], samples[0]]
    return [replace(own, another=lambda rng, other=other: other) for own, other in zip(samples, following, strict=True)]


def draw(sample: Sample, with_outline: bool) -> np.ndarray:
    """Return the sample's image with its label's outline, or tinted by its prior."""
    if sample.prior is not None:
        return overlay(sample.image, sample.prior.astype(np.float32) / 255)
    if not with_outline or sample.label is None:
        return sample.image
    outlines, _ = cv2.findContours((sample.label == 1).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(sample.image.copy(), outlines, -1, OUTLINE, 2)


def make_sheet() -> np.ndarray:
    """Return the contact sheet, uint8 H×W×3 RGB."""
    portraits = make_portraits()
    rows, captions = [[sample.image for sample in portraits]], ["the generated portraits"]
    for number, (name, arguments) in enumerate(track(ROWS, "drawing")):
        transform = TRANSFORMS.build(name, **arguments)
        drawn = [transform(sample, np.random.default_rng([number, column])) for column, sample in enumerate(portraits)]
        rows.append([draw(sample, name in MOVING) for sample in drawn])
        captions.append(name)
    return contact_sheet(rows, [], CELL_HW, captions)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT, help="JPEG to write")
    arguments = parser.parse_args(argv)

    def work() -> int:
        Image.fromarray(make_sheet()).save(arguments.out, quality=QUALITY, optimize=True)
        return 0

    return run_command(work)


if __name__ == "__main__":
    sys.exit(main())
