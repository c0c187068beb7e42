"""The measurement behind connectivity_cost.py: a batch, predictions of several kinds, and the times of each."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import paddle

from paddle_portrait import kernels
from paddle_portrait.losses import CrossEntropyLoss, LovaszSoftmaxLoss, SemanticConnectivityLoss
from paddle_portrait.losses.connectivity import match_components
from paddle_portrait.models import PPHumanSegLite

BATCH, HEIGHT, WIDTH = 8, 224, 398


def make_batch() -> tuple[paddle.Tensor, paddle.Tensor]:
    """Return pictures of noise, float32 8×3×224×398, and labels: a head above shoulders, each somewhere else."""
    rng = np.random.default_rng(0)
    labels = np.zeros((BATCH, HEIGHT, WIDTH), np.uint8)
    for label in labels:
        x = int(rng.integers(120, 280))
        cv2.ellipse(label, (x, 90), (34, 44), 0, 0, 360, (1,), -1)
        cv2.ellipse(label, (x, HEIGHT), (95, 90), 0, 0, 360, (1,), -1)
    images = rng.normal(0, 1, (BATCH, 3, HEIGHT, WIDTH)).astype(np.float32)
    return paddle.to_tensor(images), paddle.to_tensor(labels.astype(np.int64))


def predictions(network: paddle.nn.Layer, images: paddle.Tensor, labels: paddle.Tensor) -> dict[str, paddle.Tensor]:
    """Return logits of each kind."""
    rng = np.random.default_rng(1)
    masks = labels.numpy().astype(np.float32)
    rough = [cv2.resize(rng.normal(0, 1, (28, 50)).astype(np.float32), (WIDTH, HEIGHT)) for _ in masks]
    margins = 3.0 * (2.0 * np.stack([cv2.GaussianBlur(m, (0, 0), 4) for m in masks]) - 1.0) + 1.5 * np.stack(rough)
    noise = rng.normal(0, 1, (BATCH, 2, HEIGHT, WIDTH))
    with paddle.no_grad():
        untrained = network(images).logits
    nearly = paddle.to_tensor(np.stack([-margins, margins], axis=1).astype(np.float32))
    return {"nearly_right": nearly, "untrained": untrained, "noise": paddle.to_tensor(noise.astype(np.float32))}


def pieces(logits: paddle.Tensor, labels: paddle.Tensor) -> int:
    """Return the number of predicted components of the batch."""
    return len(match_components(logits.argmax(axis=1).numpy(), labels.numpy()).component_sizes) - 1


def seconds(work: Callable[[], None]) -> float:
    """Return the processor time of ``work()``."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(rounds: int) -> dict[str, Any]:
    """Return the figures of the benchmark, medians of ``rounds``."""
    kernels.use_kernels("off")
    cv2.setNumThreads(1)
    paddle.seed(0)
    images, labels = make_batch()
    network = PPHumanSegLite()
    optimizer = paddle.optimizer.Momentum(0.01, parameters=network.parameters())
    cross_entropy, lovasz, connectivity = CrossEntropyLoss(), LovaszSoftmaxLoss(), SemanticConnectivityLoss()

    def step() -> None:
        logits = network(images).logits
        (0.8 * cross_entropy(logits, labels) + 0.2 * lovasz(logits, labels)).backward()
        optimizer.step()
        optimizer.clear_grad()

    def added(logits: paddle.Tensor) -> None:
        logits = logits.detach()
        logits.stop_gradient = False
        connectivity(logits, labels).backward()

    kinds = predictions(network, images, labels)
    step()
    steps, costs = [], {name: [] for name in kinds}
    for _ in range(rounds):
        steps.append(seconds(step))
        for name, logits in kinds.items():
            costs[name].append(seconds(lambda logits=logits: added(logits)))
    whole = float(np.median(steps))
    figures = {
        name: {
            "pieces": pieces(kinds[name], labels),
            "ms": round(1e3 * float(np.median(values)), 1),
            "share_of_step": round(float(np.median(values)) / whole, 4),
        }
        for name, values in costs.items()
    }
    return {"unit": "processor time", "step_ms": round(1e3 * whole, 1), "loss": figures}
