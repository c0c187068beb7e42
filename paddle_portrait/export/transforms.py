"""The preprocessing that an exported model asks for, from the transforms of a config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paddle_portrait.console import logger
from paddle_portrait.errors import UserError
from paddle_portrait.export.choices import Shape
from paddle_portrait.preprocess import Preprocess


def fit_transforms(transforms: Sequence[Mapping[str, Any]], shape: Shape) -> list[dict[str, Any]]:
    """Return ``transforms`` changed so that they end in the height and width of a fixed ``shape``.

    The last Resize gets that size; a list without any geometric step gets a Resize. Shapes with a free side
    change nothing.

    Raises:
        UserError: the steps end in another size, and which one to change is not clear.
    """
    height, width = shape[2:]
    fitted = [dict(node) for node in transforms]
    size = Preprocess.from_transforms(transforms).input_size_hw
    if -1 in (height, width) or size == (height, width):
        return fitted
    steps = [node for node in fitted if node["type"] != "Normalize"]
    if not steps:
        fitted.insert(0, {"type": "Resize", "target_size": [width, height]})
    elif steps[-1]["type"] == "Resize" and not steps[-1].get("keep_ratio"):
        steps[-1]["target_size"] = [width, height]
    if Preprocess.from_transforms(fitted).input_size_hw != (height, width):
        names = ", ".join(str(node["type"]) for node in steps)
        raise UserError(
            f"input shape {list(shape)} (N, C, height, width), but the transforms ({names}) do not end in that size. "
            "Change them in val_dataset.transforms, or export for any size: --input_shape -1 -1"
        )
    before = "none" if size is None else f"height {size[0]}, width {size[1]}"
    logger.info("deployed models resize images to height %d, width %d (the config's size: %s)", height, width, before)
    return fitted


def normalising_lines(preprocess: Preprocess, channels: int) -> tuple[list[float], list[float]]:
    """Return factor and addend with which each channel's levels 0..255 are normalised; beyond the image's, to 0..1."""
    description = preprocess.to_dict()
    count = preprocess.channels
    means, stds = (
        values * count if len(values) == 1 else values for values in (description["mean"], description["std"])
    )
    factors = [description["scale"] / std for std in stds]
    addends = [-mean / std for mean, std in zip(means, stds, strict=True)]
    missing = channels - count
    return factors + [1 / 255] * missing, addends + [0.0] * missing
