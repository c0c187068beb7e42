"""A person that suits its new background: by a network, or by moving its colours towards the background's."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np

from paddle_portrait.effects.color_transfer import from_lab, sampled, to_lab
from paddle_portrait.effects.composite import alpha_blend
from paddle_portrait.effects.effect import effect
from paddle_portrait.effects.options import Range
from paddle_portrait.errors import UserError

# What Tsai et al. 2017, "Deep Image Harmonization", feed their network: BGR less these means, 512×512.
_SIDE = 512
_MEANS = (104.00699, 116.66877, 122.67892)
_MASK_MEAN = 128.0
_INPUTS = ("data", "mask")

# How far the statistical form goes at strength 1: shares of the differences in mean lightness and mean colour, and the
# bounds of the change of contrast. All of it would paint skin in the background's colour.
_LIGHT_SHARE, _COLOR_SHARE, _CONTRAST = 0.5, 0.35, (0.75, 1.33)


@effect("harmonize", needs_background=True)
def harmonize(
    image: np.ndarray,
    person: np.ndarray,
    background: np.ndarray,
    *,
    strength: Annotated[float, Range(0, 1), "0 leaves the person's colours"] = 1.0,
    model: Annotated[Path | None, "ONNX file of a harmonisation network; without one, statistics do the work"] = None,
) -> np.ndarray:
    """The person before the background, its light and colours moved towards the background's."""
    if model is not None:
        return _by_network(alpha_blend(image, person, background), person, str(model), strength)
    return alpha_blend(_towards(image, person, background, strength), person, background)


def _towards(image: np.ndarray, person: np.ndarray, background: np.ndarray, strength: float) -> np.ndarray:
    """Return the image with lightness, contrast and colour of its person moved towards the background's."""
    weight = sampled(person)
    if not (weight > 0).any():
        return image
    mean, spread = _weighted_statistics(to_lab(sampled(image)), weight)
    other = to_lab(sampled(background))
    wanted_mean, wanted_spread = _weighted_statistics(other, np.ones(other.shape[:2], np.float32))
    share = strength * np.array([_LIGHT_SHARE, _COLOR_SHARE, _COLOR_SHARE])
    contrast = np.clip((wanted_spread[0] + 1) / (spread[0] + 1), *_CONTRAST) ** (strength * _LIGHT_SHARE)
    gain = np.array([contrast, 1, 1])
    return from_lab(to_lab(image), gain, mean - gain * mean + share * (wanted_mean - mean))


def _weighted_statistics(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    total = float(weight.sum())
    mean = np.tensordot(weight, values, 2) / total
    square = np.tensordot(weight, np.square(values - mean), 2) / total
    return mean, np.sqrt(square)


def _by_network(composite: np.ndarray, person: np.ndarray, file: str, strength: float) -> np.ndarray:
    """Return the composite, its person as the network wants it; details are kept from the composite."""
    small = cv2.resize(composite, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR).astype(np.float32)
    mask = cv2.resize(person, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) * np.float32(255)
    answer = _load_network(file).run((bgr - np.array(_MEANS, np.float32), (mask - _MASK_MEAN)[..., None]))
    change = np.clip(answer + np.array(_MEANS, np.float32), 0, 255) - bgr
    full = cv2.resize(change[..., ::-1], person.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.add(composite, full * (np.float32(strength) * person)[..., None], dtype=cv2.CV_8U)


class _Network:
    """A network in OpenCV's DNN module, which may be run by one thread at a time."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._lock = threading.Lock()
        try:
            self._net = cv2.dnn.readNetFromONNX(file)
        except cv2.error as error:
            raise UserError(
                f"{file}: OpenCV cannot read this network ({_last_line(error)}). An ONNX file is needed, its inputs "
                f"'data' (1×3×{_SIDE}×{_SIDE}) and 'mask' (1×1×{_SIDE}×{_SIDE}); convert Caffe models to ONNX first."
            ) from None

    def run(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        """Return the answer, float32 _SIDE×_SIDE×3, for H×W×C inputs."""
        try:
            with self._lock:
                for name, value in zip(_INPUTS, inputs, strict=True):
                    self._net.setInput(np.ascontiguousarray(value.transpose(2, 0, 1))[None], name)
                answer = self._net.forward().copy()
        except cv2.error as error:
            raise UserError(
                f"{self._file}: the network does not take a photo 'data' and a 'mask' ({_last_line(error)})."
            ) from None
        if answer.shape != (1, 3, _SIDE, _SIDE):
            raise UserError(
                f"{self._file}: the network answers with shape {answer.shape}, not (1, 3, {_SIDE}, {_SIDE})."
            )
        return answer[0].transpose(1, 2, 0)


def _load_network(file: str) -> _Network:
    try:
        facts = Path(file).stat()
    except OSError as error:
        raise UserError(f"{file}: the harmonisation network cannot be read ({error.strerror}).") from None
    return _cached_network(file, facts.st_mtime_ns, facts.st_size)


@functools.lru_cache(maxsize=2)
def _cached_network(file: str, *version: Any) -> _Network:
    """Return the network of a file; another version of the file is loaded anew."""
    return _Network(file)


def _last_line(error: cv2.error) -> str:
    return str(error).strip().splitlines()[-1].strip()
