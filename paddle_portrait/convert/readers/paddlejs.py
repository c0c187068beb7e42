"""Paddle.js models: ``model.json`` beside ``chunk_1.dat``, ``chunk_2.dat``, …"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from paddle_portrait.convert.source import SourceError, SourceLayer, SourceModel, paddle_layout

_CONVOLUTIONS = {"conv2d": "conv", "depthwise_conv2d": "depthwise", "conv2d_transpose": "deconv"}
_PRODUCTS = ("mul", "matmul", "matmul_v2")
_NORM = {"Scale": "weight", "Bias": "bias", "Mean": "_mean", "Variance": "_variance"}


def read(path: Path) -> SourceModel:
    """Read a Paddle.js model by its ``model.json``; see :func:`paddle_portrait.convert.source.read_source`."""
    model = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(model, dict) or not {"ops", "vars"} <= set(model):
        raise SourceError(path, "is no Paddle.js model: it has no 'ops' and 'vars'.")
    variables = model["vars"].values() if isinstance(model["vars"], dict) else model["vars"]
    tensors = _tensors(path, [variable for variable in variables if variable.get("persistable")])
    return SourceModel(str(path), _layers(path, model["ops"], tensors), tensors)


def _tensors(path: Path, variables: Iterable[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Cut the chunks into arrays: they hold the variables one after the other in the order of their names."""
    chunks = sorted(path.parent.glob("chunk_*.dat"), key=lambda chunk: int(chunk.stem.split("_")[1]))
    if [int(chunk.stem.split("_")[1]) for chunk in chunks] != list(range(1, len(chunks) + 1)) or not chunks:
        found = ", ".join(chunk.name for chunk in chunks) or "none"
        raise SourceError(
            path, f"the files chunk_1.dat, chunk_2.dat, … must lie beside it without a gap; found: {found}."
        )
    values = np.frombuffer(b"".join(chunk.read_bytes() for chunk in chunks), dtype="<f4")
    shapes = {variable["name"]: [int(side) for side in variable["shape"]] for variable in variables}
    wanted = sum(int(np.prod(shape)) for shape in shapes.values())
    if wanted != len(values) or any(side < 1 for shape in shapes.values() for side in shape):
        raise SourceError(path, f"its variables take {wanted} values, its chunks hold {len(values)}.")
    tensors, start = {}, 0
    for name in sorted(shapes):
        end = start + int(np.prod(shapes[name]))
        tensors[name] = values[start:end].reshape(shapes[name])
        start = end
    return tensors


def _layers(path: Path, operators: Iterable[Mapping[str, Any]], tensors: Mapping[str, np.ndarray]) -> list[SourceLayer]:
    layers: list[SourceLayer] = []
    made_by: dict[str, int] = {}  # output's name -> position of the layer that computes it
    for operator in operators:
        kind, inputs = operator["type"], operator["inputs"]
        if kind == "elementwise_add" and inputs["X"][0] in made_by and inputs["Y"][0] in tensors:
            position = made_by[inputs["X"][0]]  # a bias is an operator of its own
            bias = paddle_layout(tensors[inputs["Y"][0]].reshape(-1))
            layers[position] = replace(layers[position], arrays={**layers[position].arrays, "bias": bias})
            continue
        layer = _layer(path, kind, inputs, operator.get("attrs", {}), tensors)
        if layer is not None:
            made_by.update({names[0]: len(layers) for names in operator["outputs"].values() if names})
            layers.append(layer)
    return layers


def _layer(
    path: Path,
    kind: str,
    inputs: Mapping[str, list[str]],
    attributes: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
) -> SourceLayer | None:
    def array(key: str) -> np.ndarray:
        if inputs[key][0] not in tensors:
            raise SourceError(path, f"'{inputs[key][0]}', the {key} of a {kind}, is not among its variables.")
        return paddle_layout(tensors[inputs[key][0]])

    if kind in _CONVOLUTIONS:
        weight, groups = array("Filter"), attributes.get("groups", 1)
        depthwise = kind == "conv2d" and groups > 1 and weight.shape[1] == 1
        layer_kind = "depthwise" if depthwise else _CONVOLUTIONS[kind]
        return SourceLayer(layer_kind, inputs["Filter"][0], {"weight": weight})
    if kind in ("batch_norm", "batchnorm"):
        arrays = {ours: array(theirs) for theirs, ours in _NORM.items()}
        return SourceLayer("batch_norm", inputs["Scale"][0], arrays, {"epsilon": float(attributes["epsilon"])})
    if kind == "prelu":
        return SourceLayer("prelu", inputs["Alpha"][0], {"weight": array("Alpha").reshape(-1)})
    if kind in _PRODUCTS and inputs["Y"][0] in tensors:
        return SourceLayer("linear", inputs["Y"][0], {"weight": array("Y")})
    return None
