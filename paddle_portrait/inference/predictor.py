"""From a photo or a frame to the probability that each pixel shows a person, by an exported model."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from paddle_portrait import zoo
from paddle_portrait.console import logger
from paddle_portrait.errors import UserError
from paddle_portrait.inference.backends import Backend, open_backend
from paddle_portrait.inference.backends.choice import choose_backend
from paddle_portrait.inference.deploy_file import DeployFile
from paddle_portrait.inference.outputs import guess_output_op, person_probability
from paddle_portrait.inference.stream import PredictorStream
from paddle_portrait.preprocess import Geometry
from paddle_portrait.preprocess.geometry import Padded, Size

_ANY_SIZE = 192  # height and width of a trial input where the graph takes any


class Predictor:
    """An exported model, ready to run. Make one with :meth:`load`.

    Attributes:
        directory: where the model was loaded from.
        backend_name: name of the back end in use.
        runtime: name and version of its runtime.
        output_op: what the graph ends in: ``"argmax"``, ``"softmax"``, ``"sigmoid"`` or ``"none"`` (logits).
        takes_prior: whether the network also looks at the probability of the previous frame.
    """

    def __init__(self, directory: Path, deploy: DeployFile, backend_name: str, backend: Backend) -> None:
        self.directory = directory
        self.backend_name = backend_name
        self.runtime = backend.runtime
        self.takes_prior = deploy.takes_prior
        self._form = deploy.form
        self._preprocess = deploy.preprocess
        if self._form.input_dtype == "uint8":  # the graph normalises
            self._preprocess = deploy.preprocess.without_normalising()
        self._input_shape = deploy.input_shape or [-1, -1, -1, -1]
        self._backend = backend
        self.output_op = deploy.output_op or guess_output_op(map(self.run, self._trial_inputs()))

    @classmethod
    def load(cls, directory: str | Path, backend: str = "auto", threads: int | None = None) -> Predictor:
        """Load an exported directory, ours or PaddleSeg's, or a released model by its zoo name.

        Args:
            directory: the directory with ``deploy.yaml``, or a name of the zoo.
            backend: name of a target that the export holds, or ``"auto"`` for the quickest that can run here.
            threads: threads of one call; None leaves it to the runtime.

        Raises:
            UserError: no such directory or name, ``deploy.yaml`` or a file is missing or damaged, the back
                end is not in the export, or its package is not installed.
        """
        if threads is not None and threads < 1:
            raise UserError(f"threads must be 1 or more, not {threads}.")
        path = zoo.find_export(directory)
        deploy = DeployFile.read(path)
        name = choose_backend(backend, path, deploy, threads)
        predictor = cls(path, deploy, name, open_backend(name, path, deploy.targets[name], threads))
        logger.info("model %s: %s, output %s", path, predictor.runtime, predictor.describe_output())
        return predictor

    def __call__(self, image_rgb: np.ndarray, prior: np.ndarray | None = None) -> np.ndarray:
        """Return the person probability of one image.

        Args:
            image_rgb: uint8 H×W×3.
            prior: float32 H×W, the probability of the previous frame; only for a network that takes one,
                which takes its absence as "nothing known" (zeros).

        Returns:
            float32 H×W in [0, 1]. An argmax export gives 0 and 1 at the network's size, hence soft edges here.

        Raises:
            UserError: a prior was given to a network that takes none, or the image does not fit the graph.
        """
        tensor, geometry = self.prepare(image_rgb, prior)
        return geometry.restore(self.person_at_network_size(tensor)[0])

    def batch(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the person probability of each image; the images may differ in size.

        Images that the network sees at one size go through it together where the graph takes any batch.
        """
        prepared = [self.prepare(image) for image in images]
        sizes = {tensor.shape for tensor, _ in prepared}
        if len(sizes) == 1 and self.takes_any_batch:
            persons = self.person_at_network_size(np.concatenate([tensor for tensor, _ in prepared]))
            return [geometry.restore(person) for person, (_, geometry) in zip(persons, prepared, strict=True)]
        return [geometry.restore(self.person_at_network_size(tensor)[0]) for tensor, geometry in prepared]

    def stream(self) -> PredictorStream:
        """Return an object to be called with one frame after the other of a video."""
        return PredictorStream(self)

    def with_input_size(self, size_hw: Size) -> Predictor:
        """Return a predictor of the same loaded graph whose input has another height and width.

        Raises:
            UserError: the graph was exported for one size only, or the model takes images as they are.
        """
        for name, wanted, given in zip(("height", "width"), self._input_shape[2:], size_hw, strict=True):
            if wanted not in (-1, given):
                raise UserError(
                    f"'{self.directory}' was exported for inputs of {wanted} pixels in {name}; {given} were asked for. "
                    "Export it with --input_shape and the size that you want, or -1 -1 for any."
                )
        other = copy(self)
        other._preprocess = self._preprocess.with_input_size(size_hw)
        return other

    @property
    def input_size_hw(self) -> Size | None:
        """Height and width of the network's input where every image is brought to one size, else None."""
        return self._preprocess.input_size_hw

    @property
    def takes_any_batch(self) -> bool:
        """Whether the graph takes any number of images at once."""
        return self._input_shape[0] == -1

    def seen_hw(self, size_hw: Size) -> Size:
        """Return the size to which frames may be reduced before they are handed in, without changing the answer."""
        return self._preprocess.seen_hw(size_hw)

    def describe_output(self) -> str:
        """Return what the graph ends in, in words."""
        meaning = {
            "argmax": "argmax (class numbers, no soft edges)",
            "softmax": "softmax (probabilities)",
            "sigmoid": "sigmoid (person probability)",
            "none": "logits",
        }[self.output_op]
        return ", ".join(filter(None, [meaning, self._form.describe()]))

    def prepare(self, image_rgb: np.ndarray, prior: np.ndarray | None = None) -> tuple[np.ndarray, Geometry]:
        """Return the graph's input, 1×C×h×w in the type that it takes, and the geometry that leads back."""
        tensor, geometry = self._preprocess(image_rgb)
        if self.takes_prior:
            tensor = np.concatenate([tensor, _fit_prior(prior, geometry)[None, None]], axis=1)
        elif prior is not None:
            raise UserError(f"'{self.directory}' holds a network that takes no prior; call it with the image alone.")
        return self._form.feed(tensor), geometry

    def run(self, tensor: np.ndarray) -> np.ndarray:
        """Return the graph's raw output for N×C×h×w in the type that it takes."""
        for wanted, given in zip(self._input_shape, tensor.shape, strict=True):
            if wanted not in (-1, given):
                raise UserError(
                    f"'{self.directory}' takes inputs of shape {self._input_shape} (N, C, height, width), but its "
                    f"preprocessing made {list(tensor.shape)}. Export with another --input_shape, or correct the "
                    "transforms in deploy.yaml."
                )
        return self._backend.run(tensor)

    def answer(self, tensor: np.ndarray) -> np.ndarray:
        """Return the graph's output for N×C×h×w in its plain form: unpacked, unflattened, upsampled."""
        return self._form.read(self.run(tensor), self.output_op, (tensor.shape[2], tensor.shape[3]))

    def person_at_network_size(self, tensor: np.ndarray) -> np.ndarray:
        """Return the person probability, float32 N×h×w, of N×C×h×w in the type that the graph takes."""
        person = person_probability(self.answer(tensor), self.output_op)
        size_hw = tensor.shape[2:]
        if person.shape[1:] != size_hw:
            person = np.stack([cv2.resize(one, (size_hw[1], size_hw[0])) for one in person])
        return person

    @property
    def usual_size_hw(self) -> tuple[int, int]:
        """Height and width of the network's input; of some input where it takes any."""
        fixed = self._preprocess.input_size_hw
        if fixed is not None:
            return fixed
        height, width = (given if given > 0 else _ANY_SIZE for given in self._input_shape[2:])
        return height, width

    def _trial_inputs(self) -> list[np.ndarray]:
        """Return random inputs, tame and wild, for telling what the graph ends in."""
        channels = self._preprocess.channels + int(self.takes_prior)
        usual = [1, channels, *self.usual_size_hw]
        shape = [given if given > 0 else default for given, default in zip(self._input_shape, usual, strict=True)]
        rng = np.random.default_rng(0)
        return [(scale * rng.standard_normal(shape)).astype(np.float32) for scale in (1.0, 10.0, 100.0)]


def _fit_prior(prior: np.ndarray | None, geometry: Geometry) -> np.ndarray:
    """Bring a prior of the image's size to the network's frame; borders know nothing of a person."""
    if prior is None:
        return np.zeros(geometry.input_hw, np.float32)
    if prior.shape != geometry.original_hw:
        raise UserError(
            f"the prior is {list(prior.shape)}; it must have the image's size {list(geometry.original_hw)}."
        )
    fitted = np.asarray(prior, np.float32)
    for operation in geometry.operations:
        fitted = (replace(operation, value=0.0) if isinstance(operation, Padded) else operation).apply(fitted)
    return fitted
