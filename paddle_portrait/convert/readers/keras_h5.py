"""Keras HDF5 files: whole models (``model.save``) and weights alone (``save_weights``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paddle_portrait.convert.source import SourceError, SourceLayer, SourceModel, paddle_layout

if TYPE_CHECKING:
    import h5py

_EPSILON = 1e-3  # Keras' default, where a file of weights alone does not tell
_NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "_mean", "moving_variance": "_variance"}


def read(path: Path) -> SourceModel:
    """Read a Keras h5 file; see :func:`paddle_portrait.convert.source.read_source`."""
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise SourceError(path, f"is no readable HDF5 file ({error}).") from None
    with file:
        root = _plain(path, file, "model_weights") if file.get("model_weights", getlink=True) else file
        if "layer_names" not in root.attrs:
            raise SourceError(path, "is an HDF5 file, but not one of Keras: it has no attribute 'layer_names'.")
        names = [_text(name) for name in root.attrs["layer_names"]]
        configs = _layer_configs(file)
        weights = {name: _weights(path, root, name) for name in names}
    layers = [layer for name in names for layer in _layers(path, name, weights[name], configs.get(name, {}))]
    tensors = {f"{name}/{key}": array for name, arrays in weights.items() for key, array in arrays.items()}
    return SourceModel(str(path), layers, tensors)


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _layer_configs(file: h5py.File) -> dict[str, dict[str, Any]]:
    """Return class name and options by layer name; empty for a file of weights alone."""
    if "model_config" not in file.attrs:
        return {}
    layers = json.loads(_text(file.attrs["model_config"]))["config"]["layers"]
    return {layer["config"]["name"]: {**layer["config"], "class_name": layer["class_name"]} for layer in layers}


def _weights(path: Path, root: h5py.Group, layer: str) -> dict[str, np.ndarray]:
    """Return a layer's arrays by their short names (``kernel``, ``bias``, …)."""
    group = _plain(path, root, layer)
    arrays = {}
    for full_name in (_text(name) for name in group.attrs["weight_names"]):
        dataset = _plain(path, group, full_name)
        if dataset.is_virtual or dataset.external:
            raise SourceError(path, f"'{full_name}' is kept in another file: refused.")
        arrays[full_name.rsplit("/", 1)[-1].split(":")[0]] = dataset[()]
    return arrays


def _plain(path: Path, group: h5py.Group, name: str) -> Any:
    """Return a member that lies in this very file: links of HDF5 may point to any file of the machine."""
    import h5py

    for part in name.split("/"):
        link = group.get(part, getlink=True)
        if link is None:
            raise SourceError(path, f"lacks '{name}', which its own table of contents names.")
        if not isinstance(link, h5py.HardLink):
            raise SourceError(path, f"'{name}' is a link to somewhere else: refused.")
        group = group[part]
    return group


def _layers(path: Path, name: str, arrays: Mapping[str, np.ndarray], config: Mapping[str, Any]) -> list[SourceLayer]:
    """Return the layer (two for a separable convolution) in Paddle's layout."""
    bias = {"bias": paddle_layout(arrays["bias"])} if "bias" in arrays else {}
    if not arrays:
        return []
    if "gamma" in arrays or "moving_mean" in arrays:
        return [_batch_norm(name, arrays, config)]
    if "alpha" in arrays:
        return [SourceLayer("prelu", name, {"weight": paddle_layout(arrays["alpha"].reshape(-1))})]
    if "depthwise_kernel" in arrays:
        # h×w×C×multiplier; Paddle orders the outputs by channel, then by multiplier, as Keras does.
        filters = np.transpose(arrays["depthwise_kernel"], (2, 3, 0, 1))
        depthwise = {"weight": paddle_layout(filters.reshape(-1, 1, *filters.shape[2:]))}
        if "pointwise_kernel" not in arrays:
            return [SourceLayer("depthwise", name, {**depthwise, **bias})]
        pointwise = {"weight": paddle_layout(arrays["pointwise_kernel"], (3, 2, 0, 1)), **bias}
        return [
            SourceLayer("depthwise", f"{name}/depthwise", depthwise),
            SourceLayer("conv", f"{name}/pointwise", pointwise),
        ]
    kernel = arrays.get("kernel")
    if kernel is None or kernel.ndim not in (2, 4):
        raise SourceError(path, f"layer '{name}' holds {', '.join(arrays)}: no kind of layer that is known here.")
    if kernel.ndim == 2:
        return [SourceLayer("linear", name, {"weight": paddle_layout(kernel), **bias})]
    # Keras lays out both h×w×last×first of Paddle's order: h×w×I×O here, h×w×O×I for a transposed one.
    transposed = config.get("class_name", "Conv2DTranspose" if "transpose" in name else "Conv2D") == "Conv2DTranspose"
    return [
        SourceLayer("deconv" if transposed else "conv", name, {"weight": paddle_layout(kernel, (3, 2, 0, 1)), **bias})
    ]


def _batch_norm(name: str, arrays: Mapping[str, np.ndarray], config: Mapping[str, Any]) -> SourceLayer:
    mean = arrays["moving_mean"]
    neutral = {"gamma": np.ones_like(mean), "beta": np.zeros_like(mean)}  # of layers with scale or center off
    values = {ours: paddle_layout({**neutral, **arrays}[theirs]) for theirs, ours in _NORM.items()}
    return SourceLayer("batch_norm", name, values, {"epsilon": float(config.get("epsilon", _EPSILON))})
