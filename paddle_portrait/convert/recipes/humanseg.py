"""The forerunner of PP-HumanSeg-Lite, released with Paddle.js."""

from __future__ import annotations

from paddle_portrait.convert.recipes.origins import PADDLE_JS
from paddle_portrait.convert.recipes.recipe import Golden, Recipe, by_execution

RECIPES = [
    Recipe(
        name="humanseg_lite_2020",
        sources=("pp_humanseg_lite_2020/model.json",),
        config="configs/humanseg_lite_2020/humanseg_lite_2020.yml",
        match=by_execution(),
        origin=PADDLE_JS,
        golden=Golden("humanseglite_paddlejs_192.npz"),
        note="46 of its convolutions also start PP-HumanSeg-Lite: configs/pp_humanseg/lite_192x192_from_2020.yml.",
    ),
]
