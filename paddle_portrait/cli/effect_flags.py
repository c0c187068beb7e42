"""The flags by which predict draws an effect beside the masks."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from paddle_portrait.errors import UserError

if TYPE_CHECKING:
    from paddle_portrait.inference.files import Drawing

_FORMATS = ("jpg", "png", "webp")


def add_effect_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags to ``parser``."""
    add = parser.add_argument_group("an effect, drawn beside the masks").add_argument
    add("--effect", metavar="NAME", help="blur, bokeh, replace, cutout, ... (an unknown name lists them)")
    add("--effect_options", nargs="+", default=[], metavar="KEY=VALUE", help="its options; refine=NAME,NAME")
    add("--background", metavar="FILE", help="picture for effects that need one")
    add("--effect_format", choices=_FORMATS, help="format of the pictures (default: jpg, png where transparent)")


def drawing_of(arguments: argparse.Namespace) -> Drawing | None:
    """Return what is to be drawn, or None.

    Raises:
        UserError: an unknown effect or option, a background that is missing, or flags without ``--effect``.
    """
    if arguments.effect is None:
        if arguments.effect_options or arguments.background or arguments.effect_format:
            raise UserError("--effect_options, --background and --effect_format need --effect NAME.")
        return None

    from paddle_portrait.effects import build_effect, split_assignments
    from paddle_portrait.inference.files import Drawing
    from paddle_portrait.preprocess import read_image

    effect = build_effect(arguments.effect, **split_assignments(arguments.effect_options))
    if effect.kind.needs_background and arguments.background is None:
        raise UserError(f"effect '{effect.name}' needs a picture behind the person: give --background FILE.")
    background = read_image(arguments.background) if arguments.background else None
    default = "png" if effect.kind.channels == 4 else "jpg"
    if effect.kind.channels == 4 and arguments.effect_format == "jpg":
        raise UserError(f"effect '{effect.name}' is transparent, which jpg files cannot hold; choose png or webp.")
    return Drawing(lambda image, person: effect(image, person, background), f".{arguments.effect_format or default}")
