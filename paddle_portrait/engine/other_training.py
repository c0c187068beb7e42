"""Released weights under another config of the same network: they load, and answer wrongly without a word."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from paddle_portrait import zoo
from paddle_portrait.config import Config, load_config
from paddle_portrait.console import logger
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess import Preprocess
from paddle_portrait.registry import BACKBONES, HEADS, MODELS

# Where a training starts from, and a second look at the mirrored picture: the weights are the same.
_OF_NO_ACCOUNT = ("pretrained", "logit_scale", "mirrored")


def tell_other_training(config: Config, weights: str | Path, level: int = logging.WARNING) -> None:
    """Log what differs between ``config`` and the one that released weights were trained with; nothing for others.

    Args:
        config: what the weights are used with.
        weights: a zoo name, or the path of the released file or its folder.
        level: of the log's line.
    """
    name = zoo.released_name(weights)
    if name is None:
        return
    try:
        own = load_config(zoo.find_config(name))
    except UserError:  # the zoo's config is not here: there is nothing to compare with
        return
    if found := [*_differences(_preprocessing(config), _preprocessing(own)), *_model_differences(config, own)]:
        logger.log(
            level,
            "the weights '%s' were trained otherwise than %s says: %s. Masks may be poor or empty; their config is %s",
            name,
            config.path,
            "; ".join(found),
            own.path,
        )


def _differences(here: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[str]:
    if here and there:
        for key in sorted({*here, *there}):
            if (now := here.get(key)) != (then := there.get(key)):
                yield f"{key} {now} (trained: {then})"


def _preprocessing(config: Config) -> dict[str, Any]:
    """Return what a photo passes before the network, by short names; nothing where the config does not say it."""
    try:
        preprocess = Preprocess.from_transforms(config.inference_transforms())
    except UserError:  # whoever needs the transforms says so
        return {}
    described = preprocess.to_dict()
    size = described["input_size_hw"]
    steps = [{key: value for key, value in step.items() if key != "target_size"} for step in described["steps"]]
    # What becomes of black and white: the same values can be written with other means and largest values.
    black, white = (np.full((1, 1, 3), level, np.uint8) for level in (0, 255))
    ends = zip(*(preprocess.to_tensor([each]).ravel().tolist() for each in (black, white)), strict=True)
    return {
        "size": None if size is None else f"{size[1]}x{size[0]}",
        "colour order": described["colour"],
        "values": ", ".join(f"{low:.4g}..{high:.4g}" for low, high in dict.fromkeys(ends)),
        "steps": steps,
    }


def _model_differences(config: Config, own: Config) -> Iterator[str]:
    here, there = (dict(_flat(_with_defaults(each.get("model", {})), "model")) for each in (config, own))
    return _differences(here, there)


def _with_defaults(node: Any) -> Any:
    """Return a part of the model section with the constructors' defaults where it is silent."""
    if isinstance(node, list | tuple):
        return [_with_defaults(item) for item in node]
    if not isinstance(node, dict):
        return node
    registry = next((each for each in (MODELS, BACKBONES, HEADS) if node.get("type") in each.own_names()), None)
    parameters = inspect.signature(registry.get(node["type"])).parameters.values() if registry else ()
    silent = {each.name: each.default for each in parameters if each.default is not each.empty}
    return {key: _with_defaults(value) for key, value in {**silent, **node}.items() if key not in _OF_NO_ACCOUNT}


def _flat(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _flat(value, f"{path}.{key}")
    elif isinstance(node, list) and any(isinstance(item, dict) for item in node):
        for index, item in enumerate(node):
            yield from _flat(item, f"{path}[{index}]")
    elif node is not None:
        yield path, node
