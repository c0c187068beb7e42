"""``tools/convert_checkpoint.py``: from a checkpoint of another framework to weights of ours."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from paddle_portrait.console import logger, run_command

if TYPE_CHECKING:
    from paddle_portrait.convert.recipes import Recipe


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="convert_checkpoint.py",
        description="Convert Keras h5, TFLite, ONNX, PyTorch or Paddle.js weights. A released checkpoint is named by "
        "its zoo name and compared with the original's answer; for any other file give --config and --source. "
        "Writes SAVE_DIR/NAME/model.pdparams with licence, notice and model card.",
    )
    add = parser.add_argument
    add("name", nargs="?", metavar="NAME", help="zoo name of a released checkpoint (see --list)")
    add("--all", action="store_true", help="every released checkpoint whose files are there")
    add("--list", action="store_true", help="print the names of released checkpoints and their files")
    add("--config", help="YAML of the network that a file of your own is for")
    add("--source", nargs="+", metavar="FILE", help="files to read in place of the released ones")
    add("--rename", nargs="+", default=[], metavar="REGEX=NEW", help="with --config: how names of PyTorch files change")
    add("--checkpoints", default="data/checkpoints", help="folder of released files (default: data/checkpoints)")
    add("--calibration", metavar="PATH", help="photos (folder or list) to restore statistics of folded batch norms on")
    add("--save_dir", default="pretrained_model", help="folder of the results (default: pretrained_model)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from paddle_portrait.convert.recipes import all_recipes

    if arguments.list:
        for recipe in all_recipes().values():
            print(f"{recipe.name:28}{', '.join(recipe.sources)}")
        return 0
    for recipe in _chosen(arguments):
        _convert(recipe, arguments)
    return 0


def _chosen(arguments: argparse.Namespace) -> list[Recipe]:
    """Return the recipes that the flags ask for; exactly one of NAME, --all and --config."""
    from dataclasses import replace
    from pathlib import Path

    from paddle_portrait.convert.recipes import all_recipes, find_recipe, recipe_for
    from paddle_portrait.errors import UserError

    if sum(map(bool, (arguments.name, arguments.all, arguments.config))) != 1:
        raise UserError("say what to convert: a zoo NAME, --all, or --config CONFIG --source FILE.")
    if arguments.all:
        present = [
            recipe
            for recipe in all_recipes().values()
            if all((Path(arguments.checkpoints) / source).is_file() for source in recipe.sources)
        ]
        if not present:
            raise UserError(
                f"'{arguments.checkpoints}' holds none of the released files; see --list and data/README.md."
            )
        return present
    sources = tuple(str(Path(source).resolve()) for source in arguments.source or ())
    if arguments.name:
        recipe = find_recipe(arguments.name)
        return [replace(recipe, sources=sources) if sources else recipe]
    if len(sources) != 1:
        raise UserError("--config needs one --source FILE to convert.")
    return [recipe_for(arguments.config, sources[0], arguments.rename)]


def _convert(recipe: Recipe, arguments: argparse.Namespace) -> None:
    from pathlib import Path

    from paddle_portrait.convert.conversion import convert
    from paddle_portrait.convert.release import write_release

    conversion = convert(recipe, arguments.checkpoints, arguments.calibration)
    logger.info("%s", conversion.summary())
    write_release(conversion, Path(arguments.save_dir) / recipe.name)
