"""Does a converted network answer as the original did? One picture and its answer tell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.convert.recipes import Golden
from paddle_portrait.convert.source import SourceError
from paddle_portrait.models.output import as_seg_output
from paddle_portrait.preprocess import Preprocess

TOLERANCES = {"logits": 1e-3, "probability": 1e-4}


@dataclass(frozen=True)
class GoldenResult:
    """How far a network is from the original's answer.

    Attributes:
        file: name of the golden file.
        output: what was compared: ``logits`` or ``probability``.
        error: largest absolute difference over all pixels.
        tolerance: the largest that passes.
    """

    file: str
    output: str
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the network gives the original's answer."""
        return self.error <= self.tolerance

    def __str__(self) -> str:
        return f"{self.output}: differs by at most {self.error:.2g} (allowed {self.tolerance:g}) from {self.file}"


def check_golden(network: nn.Layer, preprocess: Preprocess, golden: Golden, folder: str | Path) -> GoldenResult:
    """Compare ``network`` with the answer of the original.

    Args:
        network: with converted weights; run in evaluation mode, left in its own.
        preprocess: of the network's config; the picture has the network's size already.
        golden: which answer.
        folder: the checkpoints' folder, which holds ``golden``.

    Raises:
        SourceError: the file is missing, damaged, or answers in another shape.
    """
    path = Path(folder) / "golden" / golden.file
    try:
        with np.load(path) as arrays:
            picture, expected = arrays["x"], arrays["y"].astype(np.float32)
    except Exception as fault:  # a damaged archive can raise nearly anything
        raise SourceError(path, f"is no golden answer ({type(fault).__name__}: {fault}).") from None
    rgb = np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture[..., ::-1]
    answer = answer_of(network, network_input(network, preprocess, [np.ascontiguousarray(rgb)]), golden.output)
    if golden.output == "probability" and expected.ndim == 3:  # both classes: the person's is the last
        expected = expected[-1]
    if answer.shape != expected.shape:
        raise SourceError(path, f"answers with shape {list(expected.shape)}, the network with {list(answer.shape)}.")
    error = float(np.abs(answer - expected).max())
    return GoldenResult(golden.file, golden.output, error, TOLERANCES[golden.output])


def network_input(network: nn.Layer, preprocess: Preprocess, images: list[np.ndarray]) -> paddle.Tensor:
    """Return float N×C×H×W of uint8 RGB images; further channels (the previous mask) are zero.

    Args:
        network: says how many channels it takes, by its first convolution.
        preprocess: brings the images to one size.
        images: uint8 H×W×3.
    """
    batch = preprocess.to_tensor([preprocess.fit(image)[0] for image in images])
    first = next(layer for layer in network.sublayers() if isinstance(layer, nn.Conv2D))
    extra = first._in_channels - batch.shape[1]
    if extra > 0:
        batch = np.concatenate([batch, np.zeros_like(batch[:, :1]).repeat(extra, axis=1)], axis=1)
    return paddle.to_tensor(batch)


def answer_of(network: nn.Layer, batch: paddle.Tensor, output: str) -> np.ndarray:
    """Return the answer to the first picture: logits float32 C×H×W, or the person's probability H×W."""
    was_training = network.training
    network.eval()
    with paddle.no_grad():
        logits = as_seg_output(network(batch)).logits
    if was_training:
        network.train()
    if output == "logits":
        return logits[0].numpy()
    probabilities = F.sigmoid(logits) if logits.shape[1] == 1 else F.softmax(logits, axis=1)
    return probabilities[0, -1].numpy()
