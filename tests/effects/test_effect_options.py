"""Options as texts and as values: what is taken, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paddle_portrait.effects import build_effect, build_refiner, split_assignments
from paddle_portrait.errors import UserError


@pytest.mark.parametrize(
    ("effect", "name", "given", "value"),
    [
        ("blur", "radius", "0.05", 0.05),
        ("blur", "radius", 0, 0.0),
        ("pixelate", "block", "16", 16),
        ("pixelate", "block", 16.0, 16),
        ("pixelate", "part", "person", "person"),
        ("color", "color", "255,0,128", (255, 0, 128)),
        ("color", "color", "255 0 128", (255, 0, 128)),
        ("color", "color", "#ff0080", (255, 0, 128)),
        ("color", "color", [1, 2, 3], (1, 2, 3)),
        ("replace", "fit", "mirror", "mirror"),
        ("harmonize", "model", "a b.onnx", Path("a b.onnx")),
        ("harmonize", "model", None, None),
    ],
)
def test_values_and_their_texts_are_taken(effect: str, name: str, given: Any, value: Any) -> None:
    assert build_effect(effect, **{name: given}).options[name] == value


@pytest.mark.parametrize(
    ("effect", "name", "given", "message"),
    [
        ("blur", "radius", "wide", "allowed: a number from 0 to 0.25"),
        ("blur", "radius", 0.3, "radius is 0.3"),
        ("blur", "radius", "nan", "allowed: a number"),
        ("blur", "radius", True, "allowed: a number"),
        ("blur", "radius", None, "allowed: a number"),
        ("blur", "radius", [0.1], "allowed: a number"),
        ("pixelate", "block", "1.5", "allowed: a whole number from 1 to 512"),
        ("pixelate", "block", 0, "allowed: a whole number"),
        ("pixelate", "part", "face", "one of background, person"),
        ("pixelate", "part", 1, "one of background, person"),
        ("color", "color", "1,2", "R,G,B"),
        ("color", "color", "1,2,256", "R,G,B"),
        ("color", "color", "#12345", "R,G,B"),
        ("color", "color", "#12345g", "R,G,B"),
        ("color", "color", 7, "R,G,B"),
        ("color", "color", "green", "R,G,B"),
        ("replace", "fit", "cover", "one of fit, fill, mirror, stretch"),
        ("harmonize", "model", "", "path of a file"),
        ("blur", "raduis", 1, "Did you mean 'radius'"),
        ("blurr", "radius", 1, "Did you mean 'blur'"),
        ("replace", "refine", "guide", "Did you mean 'guided'"),
        ("replace", "refine", [{"radius": 1}], "needs a key 'type'"),
        ("replace", "refine", {"type": "guided", "eps": 1}, "refiner 'guided': unknown option 'eps'"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(effect: str, name: str, given: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_effect(effect, **{name: given})


def test_limits_that_cross_are_refused(portrait: Any) -> None:
    with pytest.raises(UserError, match="low must be the smaller"):
        build_refiner("smooth_step", low=0.6, high=0.5)(*portrait)
    with pytest.raises(UserError, match="must be odd"):
        build_refiner("soft_edge", kernel=6)(*portrait)


def test_command_lines_give_options_as_assignments() -> None:
    assert split_assignments(["radius=0.1", "model=a=b.onnx"]) == {"radius": "0.1", "model": "a=b.onnx"}
    for texts, message in ((["radius"], "NAME=VALUE"), (["=1"], "NAME=VALUE"), (["a=1", "a=2"], "given twice")):
        with pytest.raises(UserError, match=message):
            split_assignments(texts)
