"""Accuracy in wide frames, such as those of calls: persons of picsart/val pasted before other backgrounds in 640x360.

python benchmarks/wide_frames.py              # our networks and MediaPipe's
python benchmarks/wide_frames.py lite tiny    # these; the others keep their figures

Photos of the data sets are upright or square, so no figure on them says how a network does on what a camera sends.
These frames are made up: their persons have the labels of picsart/val, their outlines those of a label, a little
blurred, and the light of two places. They compare networks with each other, and no more. Nothing was trained on these
persons; the places are also those of the training (RandomBackground).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _page import write_between
from _record import RESULTS, ROOT, record
from zoo_accuracy import config_of, measured

NAME = "wide_frames"
NETWORKS = (
    *("highres", "mobile", "lite_398x224", "lite", "video", "tiny"),
    *("mediapipe_selfie_general", "mediapipe_selfie_landscape"),
)
MEASURES = ("miou", "person_iou", "boundary_iou", "images")
SEED, WIDTH, HEIGHT = 1, 640, 360
# Height of the pasted photo in that of the frame: from a person some steps away to one that fills the frame.
HEIGHTS = (0.7, 1.1)


def write_frames(folder: Path) -> Path:
    """Write frames and masks below ``folder`` and return their list."""
    draw = np.random.default_rng(SEED)
    places = sorted((ROOT / "data" / "backgrounds").iterdir())
    photos = ROOT / "data" / "picsart"
    lines = []
    for index, line in enumerate((photos / "val.txt").read_text(encoding="utf-8").splitlines()):
        photo_path, mask_path = line.split()
        place = cv2.imread(str(places[draw.integers(len(places))]))
        photo = cv2.imread(str(photos / photo_path))
        mask = cv2.imread(str(photos / mask_path), cv2.IMREAD_GRAYSCALE)
        frame, label = pasted(photo, mask, filling(place), draw.uniform(*HEIGHTS), draw.random())
        for name, image in ((f"{index:03}.png", frame), (f"{index:03}_mask.png", label)):
            cv2.imwrite(str(folder / name), image)
        lines.append(f"{index:03}.png {index:03}_mask.png")
    (folder / "frames.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "frames.txt"


def filling(place: np.ndarray) -> np.ndarray:
    """Return the upper left of a picture, in the largest piece that has the frame's shape, at the frame's size."""
    factor = max(WIDTH / place.shape[1], HEIGHT / place.shape[0])
    rows, columns = round(HEIGHT / factor), round(WIDTH / factor)
    return cv2.resize(place[:rows, :columns], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def pasted(
    photo: np.ndarray, mask: np.ndarray, frame: np.ndarray, height: float, place: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the frame with the person in it, on its lower edge, and the person's mask, 0 or 255.

    Args:
        photo: uint8 H×W×3.
        mask: uint8 H×W, 255 for the person.
        frame: uint8, the place.
        height: of the photo in that of the frame.
        place: 0 is the left end, 1 the right one.
    """
    factor = height * HEIGHT / photo.shape[0]
    photo, mask = (cv2.resize(image, None, fx=factor, fy=factor)[:HEIGHT, :WIDTH] for image in (photo, mask))
    rows, columns = mask.shape
    left = round(place * (WIDTH - columns))
    area = slice(HEIGHT - rows, HEIGHT), slice(left, left + columns)
    share = (cv2.GaussianBlur(mask, (0, 0), 0.8) / np.float32(255))[..., None]
    mixed, label = frame.copy(), np.zeros(frame.shape[:2], np.uint8)
    mixed[area] = np.rint(photo * share + frame[area] * (1 - share)).astype(np.uint8)
    label[area] = np.where(share[..., 0] > 0.5, 255, 0)
    return mixed, label


def judge(name: str, frames: Path) -> dict[str, float]:
    """Return one released network's figures on the frames, fed as its config says."""
    from paddle_portrait.config import load_config
    from paddle_portrait.engine.trained import load_trained

    config = load_config(config_of(name))
    node = {**config["val_dataset"], "dataset_root": str(frames.parent), "val_path": str(frames)}
    return measured(load_trained(config, name), node, MEASURES)


def table(figures: dict[str, Any]) -> str:
    """Return the table of docs/zoo.md, the most accurate first."""
    lines = ["| network | mIoU | person IoU | boundary IoU |", "|---|---|---|---|"]
    for name, row in sorted(figures.items(), key=lambda item: -item[1]["boundary_iou"]):
        lines.append("| `{}` | {miou:.4f} | {person_iou:.4f} | {boundary_iou:.4f} |".format(name, **row))
    return "\n".join(lines)


def main() -> None:
    """Make the frames, judge, record, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"zoo names (default: {', '.join(NETWORKS)})")
    arguments = parser.parse_args()
    earlier = RESULTS / f"{NAME}.json"
    figures = json.loads(earlier.read_text(encoding="utf-8"))["figures"] if earlier.is_file() else {}
    with tempfile.TemporaryDirectory() as folder:
        frames = write_frames(Path(folder))
        for name in arguments.names or NETWORKS:
            figures[name] = judge(name, frames)
    record(NAME, figures)
    write_between("zoo.md", f"{NAME}.py", table(figures))


if __name__ == "__main__":
    main()
