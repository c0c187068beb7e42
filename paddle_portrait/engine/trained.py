"""The trained network that a config and a weight file describe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from paddle_portrait.errors import UserError
from paddle_portrait.preprocess import Preprocess

if TYPE_CHECKING:
    from paddle import nn

    from paddle_portrait.config import Config
    from paddle_portrait.engine.inferring import PredictOptions


def load_trained(config: Config, model_path: str | None) -> nn.Layer:
    """Build the config's network with the weights of a checkpoint, all of them.

    The weights of a stage that trained for int8 make a network that rounds as it did there.

    Args:
        config: names the network; its ``pretrained`` weights are not looked for, the checkpoint replaces them.
        model_path: a ``.pdparams`` file, a checkpoint directory, or a zoo name.

    Raises:
        UserError: no path, or the file lacks a value of the network or holds one of another shape.
    """
    from paddle_portrait.engine import distributed
    from paddle_portrait.engine.other_training import tell_other_training
    from paddle_portrait.models.fake_quantisation import round_layers, rounding_names
    from paddle_portrait.models.weights import load_weights, narrow_like, read_weights, weights_file

    if not model_path:
        raise UserError(
            "no --model_path: without trained weights the network would answer at random. "
            "Give a checkpoint, such as --model_path output/best_model/model.pdparams"
        )
    network, path = build_network(config), weights_file(model_path)
    narrow_like(network, path)
    round_layers(network, rounding_names(read_weights(path)))
    report = load_weights(network, model_path)
    lacking = report.differences
    if lacking:
        raise UserError(
            f"weights '{model_path}' are not those of the network of {config.path}: {len(lacking)} of its values "
            f"are missing or of another shape ({', '.join(lacking[:3])}{', …' if len(lacking) > 3 else ''}). "
            "Give the config that the weights were trained with."
        )
    if distributed.is_main():
        tell_other_training(config, path)
    network.eval()
    return network


def build_network(config: Config) -> nn.Layer:
    """Build the config's network as it starts without any weights to load; its ``pretrained`` are not looked for."""
    from paddle_portrait.registry import MODELS

    return MODELS.build_node(_without_pretrained(config["model"]))


def build_start(config: Config) -> nn.Layer:
    """Build the config's network with the weights that its training starts from.

    Raises:
        UserError: it starts from random ones.
    """
    from paddle_portrait.registry import MODELS

    if not _names_pretrained(config["model"]):
        raise UserError(f"{config.path}: the network starts from random weights, 'model' names no 'pretrained' ones.")
    return MODELS.build_node(config["model"])


def input_channels(config: Config, preprocess: Preprocess) -> int:
    """Return the input channels of the config's network: ``in_channels`` of it or its backbone, else the images'."""
    for key in ("model.in_channels", "model.backbone.in_channels"):
        if (channels := config.get(key)) is not None:
            return int(channels)
    return preprocess.channels


def pruning_shape(config: Config, size_wh: Sequence[int] | None) -> tuple[int, int, int, int]:
    """Return N, C, H, W of the input at which multiply-adds are counted: the size given, else that of inference.

    Raises:
        UserError: the config does not say a size.
    """
    try:
        preprocess = Preprocess.from_transforms(config.inference_transforms())
    except UserError:
        if size_wh is None:
            raise
        preprocess = Preprocess.from_transforms([])
    size_hw = preprocess.input_size_hw if size_wh is None else (size_wh[1], size_wh[0])
    if size_hw is None:
        raise UserError(
            f"{config.path}: its transforms end in no fixed size, so the multiply-adds cannot be counted. Say the "
            "width and height to count them at: prune.size, or --size."
        )
    return 1, input_channels(config, preprocess), *size_hw


class TrainedPredictor:
    """A trained network behind the same call as :class:`paddle_portrait.inference.Predictor`.

    Args:
        network: what :func:`load_trained` gave.
        preprocess: from image to tensor.
        options: flips, scales, sliding windows; None for none of them.
        channels: input channels of the network, as :func:`input_channels` gave them; None: those of the images. One
            more is the prior, which is empty here: pictures have no frame before them.
    """

    def __init__(
        self,
        network: nn.Layer,
        preprocess: Preprocess,
        options: PredictOptions | None = None,
        channels: int | None = None,
    ) -> None:
        self._network = network
        self._preprocess = preprocess
        self._options = options
        self._takes_prior = channels == preprocess.channels + 1

    @classmethod
    def load(cls, config: Config, model_path: str | None, options: PredictOptions | None = None) -> TrainedPredictor:
        """Build the config's network with the weights of a checkpoint (see :func:`load_trained`)."""
        preprocess = Preprocess.from_transforms(config.inference_transforms())
        return cls(load_trained(config, model_path), preprocess, options, input_channels(config, preprocess))

    def __call__(self, image_rgb: np.ndarray) -> np.ndarray:
        """Return the person probability, float32 H×W in [0, 1], of a uint8 H×W×3 image."""
        import paddle

        from paddle_portrait.engine.inferring import person_probability

        tensor, geometry = self._preprocess(image_rgb)
        if self._takes_prior:
            tensor = np.concatenate([tensor, np.zeros_like(tensor[:, :1])], axis=1)
        return geometry.restore(person_probability(self._network, paddle.to_tensor(tensor), self._options)[0])


def _without_pretrained(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_pretrained(value) for key, value in node.items() if key != "pretrained"}
    if isinstance(node, list):
        return [_without_pretrained(item) for item in node]
    return node


def _names_pretrained(node: Any) -> bool:
    if isinstance(node, dict):
        return node.get("pretrained") is not None or any(map(_names_pretrained, node.values()))
    return isinstance(node, list) and any(map(_names_pretrained, node))
