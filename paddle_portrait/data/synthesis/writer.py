"""Data sets of generated portraits on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from paddle_portrait.console import logger, track
from paddle_portrait.data.synthesis.portrait import render_empty_room, render_portrait
from paddle_portrait.errors import UserError

GENERATOR_VERSION = 1
_RECIPE_FILE = "generator.json"
_EMPTY_SHARE = 0.06
_SPLITS = {"train": 0.8, "val": 0.1, "test": 0.1}


@dataclass(frozen=True)
class Recipe:
    """What a generated folder is made from; the same recipe gives the same pictures."""

    count: int
    seed: int
    size_hw: tuple[int, int]
    soft: bool
    version: int = GENERATOR_VERSION

    def check(self) -> None:
        """Raise UserError for numbers that give no data set."""
        if self.count < 10:
            raise UserError(f"count is {self.count}; at least 10 pictures are needed to fill train, val and test.")
        if self.seed < 0:
            raise UserError(f"seed is {self.seed}; it must be 0 or more.")
        if min(self.size_hw) < 32 or max(self.size_hw) > 4096:
            raise UserError(
                f"size is {self.size_hw[0]}x{self.size_hw[1]} (height x width); each side must be 32 to 4096."
            )


def _sample(recipe: Recipe, index: int) -> tuple[str, np.ndarray, np.ndarray]:
    rng = np.random.default_rng([recipe.seed, index])
    # The empty places are spread evenly, so that every split has its share of them.
    if int((index + 1) * _EMPTY_SHARE) > int(index * _EMPTY_SHARE):
        return f"empty_{index:05d}", render_empty_room(rng, recipe.size_hw), np.zeros(recipe.size_hw, np.float32)
    return f"portrait_{index:05d}", *render_portrait(rng, recipe.size_hw)


def _write_pair(folder: Path, name: str, image: np.ndarray, alpha: np.ndarray, soft: bool) -> str:
    mask = np.round(alpha * 255).astype(np.uint8) if soft else np.where(alpha >= 0.5, 255, 0).astype(np.uint8)
    _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    _, png = cv2.imencode(".png", mask)
    (folder / "images" / f"{name}.jpg").write_bytes(jpeg.tobytes())
    (folder / "masks" / f"{name}.png").write_bytes(png.tobytes())
    return f"images/{name}.jpg masks/{name}.png"


def _split(lines: list[str], seed: int) -> Iterator[tuple[str, list[str]]]:
    order = np.random.default_rng([seed, 10**6]).permutation(len(lines))
    start = 0
    for name, share in _SPLITS.items():
        end = len(lines) if name == "test" else start + max(1, round(share * len(lines)))
        yield name, [lines[i] for i in sorted(order[start:end])]
        start = end


def is_written(folder: str | Path, recipe: Recipe) -> bool:
    """Say whether ``folder`` holds a complete data set made from exactly this recipe."""
    try:
        found = json.loads((Path(folder) / _RECIPE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return found == json.loads(json.dumps(asdict(recipe)))


def write_portraits(
    folder: str | Path, count: int = 400, seed: int = 0, size_hw: tuple[int, int] = (256, 192), soft: bool = False
) -> bool:
    """Write a data set: ``images/*.jpg``, ``masks/*.png``, and the lists train.txt, val.txt and test.txt (80/10/10).

    A folder that already holds the same data set is kept. About one picture in sixteen shows no person.

    Args:
        folder: where to; made when it does not exist.
        count: number of pictures, at least 10.
        seed: the same seed, count and size give the same bytes.
        size_hw: height and width in pixels.
        soft: write the alpha 0 to 255 instead of a mask of 0 and 255.

    Returns:
        True when it was written, False when it was kept.

    Raises:
        UserError: for numbers that give no data set, and for a folder that holds other people's files.
    """
    folder, recipe = Path(folder), Recipe(count, seed, (size_hw[0], size_hw[1]), soft)
    recipe.check()
    if is_written(folder, recipe):
        logger.info("%s holds these %d pictures already: kept", folder, count)
        return False
    if folder.exists() and any(folder.iterdir()) and not (folder / _RECIPE_FILE).exists() and not _unfinished(folder):
        raise UserError(
            f"{folder} is not empty and was not written by the generator; choose another folder or empty it."
        )
    _clear(folder)
    lines = []
    for index in track(range(count), f"portraits {folder.name}", count):
        lines.append(_write_pair(folder, *_sample(recipe, index), soft))
    for name, members in _split(lines, seed):
        (folder / f"{name}.txt").write_text("\n".join(members) + "\n", encoding="utf-8")
    # Written last: a folder without it is unfinished and will be written again.
    (folder / _RECIPE_FILE).write_text(json.dumps(asdict(recipe), indent=1) + "\n", encoding="utf-8")
    logger.info("%s: %d pictures of %dx%d written", folder, count, *size_hw)
    return True


def _unfinished(folder: Path) -> bool:
    """Say whether a folder holds nothing but pictures of an interrupted run."""
    ours = {path.name for path in folder.iterdir()} <= {"images", "masks", *(f"{name}.txt" for name in _SPLITS)}
    return ours and all(path.name.startswith(("portrait_", "empty_")) for path in (folder / "images").glob("*"))


def _clear(folder: Path) -> None:
    (folder / _RECIPE_FILE).unlink(missing_ok=True)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
        for path in (*(folder / part).glob("portrait_*"), *(folder / part).glob("empty_*")):
            path.unlink()
