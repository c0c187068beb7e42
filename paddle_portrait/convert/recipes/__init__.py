"""Released checkpoints that can be converted, by zoo name. A new family is a module with a list ``RECIPES``."""

from __future__ import annotations

import pkgutil
from functools import lru_cache
from importlib import import_module

from paddle_portrait.convert.recipes.recipe import Golden, Origin, Recipe, by_execution, by_name, recipe_for
from paddle_portrait.errors import UnknownNameError, describe_unknown

__all__ = ["Golden", "Origin", "Recipe", "all_recipes", "by_execution", "by_name", "find_recipe", "recipe_for"]


@lru_cache(maxsize=1)
def all_recipes() -> dict[str, Recipe]:
    """Return every recipe by zoo name, gathered from the modules of this package."""
    found: dict[str, Recipe] = {}
    for module in pkgutil.iter_modules(__path__):
        for recipe in getattr(import_module(f"{__name__}.{module.name}"), "RECIPES", ()):
            if recipe.name in found:
                raise ValueError(f"two recipes are named '{recipe.name}'")
            found[recipe.name] = recipe
    return dict(sorted(found.items()))


def find_recipe(name: str) -> Recipe:
    """Return the recipe of a zoo name.

    Raises:
        UnknownNameError: no recipe has it.
    """
    recipes = all_recipes()
    if name not in recipes:
        raise UnknownNameError(describe_unknown("convertible checkpoint", name, recipes))
    return recipes[name]
