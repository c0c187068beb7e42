"""A list of transforms, run sample by sample up to ``Normalize``, which is done on the whole batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms.base import StepTransform, Transform
from paddle_portrait.data.transforms.foreign import PaddleSegTransform, as_transform
from paddle_portrait.data.transforms.moving import resize_sample
from paddle_portrait.data.transforms.prior import SimulatePrior
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.geometry import Resized, Size
from paddle_portrait.preprocess.pipeline import Preprocess
from paddle_portrait.preprocess.steps import Normalize


class Pipeline:
    """A list of transforms: per sample all but ``Normalize``, which is done on the whole batch.

    Args:
        transforms: ours, or the installed paddleseg's, which are wrapped.
        channels: what the batches must have, as a check on the list; None: whatever it makes. One more than the
            colours is the prior: that of ``SimulatePrior``, zeros where the list has none.

    Raises:
        UserError: ``Normalize`` is not last, or the batches would have other channels.
    """

    def __init__(self, transforms: Iterable[Any], channels: int | None = None) -> None:
        listed = list(transforms)
        self.normalize: Normalize | None = None
        if listed and isinstance(listed[-1], Normalize):
            self.normalize = listed.pop()
        if any(isinstance(item, Normalize) for item in listed):
            raise UserError("transforms: Normalize must be the last of the list, and there only once.")
        self.steps: list[Transform] = [as_transform(item) for item in listed]
        self._to_tensor = Preprocess([self.normalize] if self.normalize else [])
        colours = self._to_tensor.channels
        makes_prior = any(isinstance(step, SimulatePrior) for step in self.steps)
        self.prior = makes_prior if channels is None else channels == colours + 1
        self.channels = colours + self.prior
        if channels not in (None, self.channels):
            raise UserError(
                f"img_channels is {channels}, but the transforms make {colours}: end them with Normalize and "
                f"{'colour: gray' if channels in (1, 2) else 'colour: rgb'}, so that prediction does the same."
            )
        if makes_prior and not self.prior:
            raise UserError(
                f"img_channels is {channels}, but SimulatePrior adds a channel: write img_channels: {colours + 1}."
            )
        fixed = [step.random for step in self.steps]
        self._prefix = fixed.index(True) if True in fixed else len(fixed)

    @property
    def fixed_steps(self) -> list[Transform]:
        """The transforms at the head of the list that do not depend on chance."""
        return self.steps[: self._prefix]

    def first_size(self, photo_hw: Size) -> Size:
        """Return the size that the first transform scales a photo to.

        Raises:
            UserError: it does not scale, or by chance.
        """
        return self._first_scaling(photo_hw).after

    def prepare(self, sample: Sample, photo_hw: Size | None = None) -> Sample:
        """Run the transforms at the head of the list that do not depend on chance.

        Args:
            sample: photo and label as they are on the disk.
            photo_hw: size of the photo on the disk, where ``sample.image`` was reduced when it was decoded.
        """
        steps = self.fixed_steps
        if photo_hw is not None:
            first, steps = self._first_scaling(photo_hw), steps[1:]
            sample = resize_sample(sample, first.after, first.interp)
        return self._run(steps, sample, np.random.default_rng(0))

    def augment(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Run the rest of the list, from the first random transform on."""
        return self._run(self.steps[self._prefix :], sample, rng)

    def to_tensor(self, samples: Sequence[Sample]) -> np.ndarray:
        """Normalise the images of samples of one size into float32 N×C×H×W; a prior, 0..1, is the last channel."""
        colours = self._to_tensor.to_tensor([sample.image for sample in samples])
        if not self.prior:
            return colours
        batch = np.zeros((len(samples), self.channels, *colours.shape[2:]), np.float32)
        batch[:, :-1] = colours
        for plane, sample in zip(batch[:, -1], samples, strict=True):
            if sample.prior is not None:
                np.multiply(sample.prior, np.float32(1 / 255), out=plane)
        return batch

    def evaluation_tensor(self, tensor: np.ndarray) -> np.ndarray:
        """Return the tensor of one image, C×h×w, with an empty prior where the network takes one."""
        return np.concatenate([tensor, np.zeros_like(tensor[:1])]) if self.prior else tensor

    def preprocess(self) -> Preprocess:
        """Return the same road without labels, for evaluation.

        Raises:
            UserError: a transform is random or cannot be undone.
        """
        foreign = [type(step.transform).__name__ for step in self.steps if isinstance(step, PaddleSegTransform)]
        if foreign:
            raise UserError(f"{foreign[0]} of paddleseg cannot be undone, so it is for training only.")
        return Preprocess([*self.steps, *([self.normalize] if self.normalize else [])])

    def _first_scaling(self, photo_hw: Size) -> Resized:
        first = self.fixed_steps[0] if self.fixed_steps else None
        operation = first.plan(photo_hw, None) if isinstance(first, StepTransform) else None
        if not isinstance(operation, Resized):
            raise UserError(
                "reduced_decode needs a first transform that tells how small a photo becomes: Resize, ResizeByLong, "
                "ResizeByShort or LimitLong. Put one first, or leave reduced_decode out."
            )
        return operation

    @staticmethod
    def _run(steps: Sequence[Transform], sample: Sample, rng: np.random.Generator) -> Sample:
        for step in steps:
            sample = step(sample, rng)
        return sample
