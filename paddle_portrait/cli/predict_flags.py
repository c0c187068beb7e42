"""The flags by which PaddleSeg's val and predict say how a batch is run through the network."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddle_portrait.config import Config
    from paddle_portrait.engine.inferring import PredictOptions

_FLAGS = ("aug_eval", "scales", "flip_horizontal", "flip_vertical", "is_slide", "crop_size", "stride")


def add_predict_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags to ``parser``; one that is not given is None, and the config's ``test_config`` decides."""
    group = parser.add_argument_group("how the network is run (default: the config's test_config)")
    add = group.add_argument
    add("--aug_eval", action="store_true", default=None, help="average over --scales and flips")
    add("--scales", nargs="+", type=float, metavar="S", help="with --aug_eval: factors of the input size")
    add("--flip_horizontal", action="store_true", default=None, help="with --aug_eval: the mirrored image, too")
    add("--flip_vertical", action="store_true", default=None, help="with --aug_eval: the image upside down, too")
    add("--is_slide", action="store_true", default=None, help="run windows over the image and average them")
    add("--crop_size", nargs=2, type=int, metavar=("WIDTH", "HEIGHT"), help="with --is_slide: size of a window")
    add("--stride", nargs=2, type=int, metavar=("WIDTH", "HEIGHT"), help="with --is_slide: step between windows")


def predict_options(arguments: argparse.Namespace, config: Config) -> PredictOptions:
    """Return the options of the config's ``test_config``, overruled by the flags that were given.

    Raises:
        UserError: an option that is wrong or would have no effect.
    """
    from paddle_portrait.engine.inferring import PredictOptions

    given = {name: getattr(arguments, name) for name in _FLAGS if getattr(arguments, name) is not None}
    return PredictOptions.from_mapping({**config.evaluation_options(), **given})
