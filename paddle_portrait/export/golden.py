"""Golden files: what a released model answers, for every runner in every language. Format: tests/golden/README.md."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from paddle_portrait.data.synthesis import render_portrait
from paddle_portrait.inference.deploy_file import DeployFile
from paddle_portrait.preprocess import Preprocess

VERSION = 2
TOLERANCE = 2e-3  # of a probability; half precision and WebGL keep to it

_SEEDS = (7001, 7002, 7003)
_HW = (320, 240)
_ANSWER_SIDE = 16
_VECTOR_SEED, _VECTOR_HW = 7004, (64, 48)  # small: its pixels are in the file
_SAMPLES = 24
_LEVELS = 65535  # probabilities are kept as sixteen bits

Predict = Callable[[np.ndarray], np.ndarray]


def write_golden(path: Path, name: str, weights_sha256: str, predictor: Any) -> None:
    """Write a released model's golden file.

    Args:
        path: file to write.
        name: zoo name.
        weights_sha256: sum of the weights that were exported.
        predictor: a :class:`~paddle_portrait.inference.Predictor` of the export.
    """
    preprocess = DeployFile.read(predictor.directory).preprocess
    content = golden(name, weights_sha256, preprocess, predictor.takes_prior, predictor)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")


def golden(
    name: str, weights_sha256: str, preprocess: Preprocess, takes_prior: bool, predict: Predict
) -> dict[str, Any]:
    """Return the content of a golden file.

    Args:
        name: zoo name.
        weights_sha256: sum of the weights.
        preprocess: from image to the network's input.
        takes_prior: the network has one channel more, which is zero here.
        predict: from uint8 H×W×3 RGB to the person's probability, float32 H×W.
    """
    return {
        "version": VERSION,
        "name": name,
        "weights_sha256": weights_sha256,
        "preprocess": preprocess.to_dict(),
        "takes_prior": takes_prior,
        "vector": _vector(preprocess, predict),
        "portraits": {"seeds": list(_SEEDS), "size_hw": list(_HW)},
        "probabilities": answers(predict),
    }


def answers(predict: Predict) -> list[list[list[float]]]:
    """Return what a model says of three generated portraits: mean probability in 16×16 cells, four decimals.

    Args:
        predict: from uint8 H×W×3 RGB to the person's probability, float32 H×W.
    """
    found = []
    for seed in _SEEDS:
        probability = predict(render_portrait(seed, _HW)[0])
        cells = cv2.resize(probability, (_ANSWER_SIDE, _ANSWER_SIDE), interpolation=cv2.INTER_AREA)
        found.append([[round(float(value), 4) for value in row] for row in cells])
    return found


def decode_vector(content: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the portrait, uint8 H×W×3 RGB, and its probability, float32 H×W, of a golden file's ``vector``."""
    vector = content["vector"]
    height, width = vector["size_hw"]
    image = np.frombuffer(base64.b64decode(vector["rgb_base64"]), np.uint8).reshape(height, width, 3)
    levels = np.frombuffer(base64.b64decode(vector["probability_uint16_base64"]), "<u2").reshape(height, width)
    return image, levels.astype(np.float32) / _LEVELS


def _vector(preprocess: Preprocess, predict: Predict) -> dict[str, Any]:
    image = np.ascontiguousarray(render_portrait(_VECTOR_SEED, _VECTOR_HW)[0])
    tensor = preprocess(image)[0]
    levels = np.rint(predict(image).astype(np.float64) * _LEVELS).astype("<u2")
    places = np.random.default_rng(0).choice(tensor.size, _SAMPLES, replace=False)
    return {
        "size_hw": list(_VECTOR_HW),
        "rgb_base64": base64.b64encode(image.tobytes()).decode(),
        "tensor_shape": list(tensor.shape),
        "tensor_samples": [[int(place), round(float(tensor.flat[place]), 6)] for place in sorted(places)],
        "probability_uint16_base64": base64.b64encode(levels.tobytes()).decode(),
        "tolerance": TOLERANCE,
    }
