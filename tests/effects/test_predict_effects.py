"""``tools/predict.py --effect``: effects on files, with a model that is here."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

from paddle_portrait.cli.effect_flags import add_effect_flags, drawing_of
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess import write_image


def flags(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_effect_flags(parser)
    return parser.parse_args(words)


def test_nothing_is_drawn_when_nothing_is_asked_for() -> None:
    assert drawing_of(flags()) is None


def test_options_and_background_reach_the_effect(tmp_path: Path) -> None:
    write_image(tmp_path / "room.png", np.full((4, 4, 3), 50, np.uint8))
    image, person = np.full((20, 30, 3), 200, np.uint8), np.full((20, 30), 0.5, np.float32)
    drawing = drawing_of(flags("--effect", "replace", "--background", str(tmp_path / "room.png")))
    assert drawing is not None
    assert drawing.suffix == ".jpg"
    assert np.abs(drawing.draw(image, person).astype(int) - 125).max() <= 1
    hard = ["--effect", "color", "--effect_options", "color=#000000", "refine=smooth_step", "--effect_format", "webp"]
    drawing = drawing_of(flags(*hard))
    assert drawing is not None
    assert drawing.suffix == ".webp"
    assert np.array_equal(drawing.draw(image, person), image)


def test_cut_outs_are_written_where_transparency_is_kept() -> None:
    drawing = drawing_of(flags("--effect", "cutout"))
    assert drawing is not None
    assert drawing.suffix == ".png"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--effect", "blurr"], "Did you mean 'blur'"),
        (["--effect", "blur", "--effect_options", "radius"], "NAME=VALUE"),
        (["--effect", "blur", "--effect_options", "radius=9"], "from 0 to 0.25"),
        (["--effect", "replace"], "give --background"),
        (["--effect", "replace", "--background", "nowhere.jpg"], "does not exist"),
        (["--effect", "cutout", "--effect_format", "jpg"], "choose png or webp"),
        (["--background", "x.jpg"], "need --effect"),
        (["--effect_options", "radius=0.1"], "need --effect"),
    ],
)
def test_wrong_flags_are_named(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        drawing_of(flags(*words))
