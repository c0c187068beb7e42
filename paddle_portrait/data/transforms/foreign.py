"""Transforms of the installed paddleseg package, run as ours."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms.base import Transform
from paddle_portrait.errors import UserError

_global_randomness = threading.Lock()
_SAMPLE_KEYS = {"img", "label", "trans_info", "gt_fields"}


def as_transform(item: Any) -> Transform:
    """Return ``item`` if it is one of our transforms, a wrapped paddleseg one if it is callable.

    Raises:
        UserError: it is neither.
    """
    if isinstance(item, Transform):
        return item
    if callable(item):
        return PaddleSegTransform(item)
    raise UserError(f"this is no transform: {item!r}.")


def name_of(transform: Transform) -> str:
    """Return the name by which the user wrote the transform."""
    return type(transform.transform if isinstance(transform, PaddleSegTransform) else transform).__name__


class PaddleSegTransform(Transform):
    """Runs a paddleseg transform; its randomness is made to follow ours.

    Args:
        transform: object that takes and returns paddleseg's dictionary of ``img``, ``label`` and so on.
    """

    def __init__(self, transform: Any) -> None:
        self.transform = transform

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Run the transform on copies of the arrays.

        Raises:
            UserError: the transform adds something that a batch has no place for, or the sample has a prior.
        """
        if sample.prior is not None:
            raise UserError(
                f"the paddleseg transform {type(self.transform).__name__} would not move the prior: put SimulatePrior "
                "behind it."
            )
        data: dict[str, Any] = {"img": sample.image.astype(np.float32), "trans_info": [], "gt_fields": []}
        if sample.label is not None:
            data |= {"label": sample.label.copy(), "gt_fields": ["label"]}
        with global_randomness_from(rng):
            data = self.transform(data)
        extra = set(data) - _SAMPLE_KEYS
        if extra:
            name = type(self.transform).__name__
            raise UserError(
                f"the paddleseg transform {name} adds {', '.join(sorted(extra))}; batches carry no such thing."
            )
        image = np.clip(np.rint(data["img"]), 0, 255).astype(np.uint8)
        label = data.get("label")
        if label is not None and sample.label is not None:
            label = np.ascontiguousarray(label, dtype=sample.label.dtype)
        return sample.with_arrays(np.ascontiguousarray(image), label)


@contextmanager
def global_randomness_from(rng: np.random.Generator) -> Iterator[None]:
    """Let Python's and numpy's global generators, which paddleseg draws from, follow ``rng``.

    A process has one of each, so only one thread at a time gets in; their states are put back afterwards.
    """
    with _global_randomness:
        states = random.getstate(), np.random.get_state()
        random.seed(int(rng.integers(2**32)))
        np.random.seed(int(rng.integers(2**32)))
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
