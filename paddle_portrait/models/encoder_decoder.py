"""A network of any backbone and any head."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import paddle
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.models.layers import spatial_size
from paddle_portrait.models.output import SegOutput
from paddle_portrait.models.sizes import require_multiple
from paddle_portrait.models.weights import load_weights
from paddle_portrait.registry import MODELS


@MODELS.register()
class EncoderDecoder(nn.Layer):
    """Backbone, then head.

    Args:
        backbone: gives features from fine to coarse and says their channels in ``feature_channels``; PaddleSeg's
            backbones say them in ``feat_channels``.
        head: called with ``in_channels`` (those of the features) and ``num_classes``, gives the decoder: a head
            class, or what the registry of heads builds from YAML.
        num_classes: channels of the output: 2 for background and person, 1 for one sigmoid logit.
        backbone_indices: which features the head gets; default: all.
        pretrained: zoo name or path of weights to start from.

    Raises:
        UserError: the backbone does not say its features' channels, or has no feature of that index.
    """

    def __init__(
        self,
        backbone: nn.Layer,
        head: Callable[..., nn.Layer],
        num_classes: int = 2,
        backbone_indices: Sequence[int] | None = None,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        channels = _feature_channels(backbone)
        self.backbone = backbone
        self.backbone_indices = list(range(len(channels)) if backbone_indices is None else backbone_indices)
        if not all(-len(channels) <= index < len(channels) for index in self.backbone_indices):
            raise UserError(
                f"backbone_indices {self.backbone_indices}: {type(backbone).__name__} has {len(channels)} features, "
                f"so indices go from 0 to {len(channels) - 1}, or from -{len(channels)} to -1."
            )
        self.head = head(in_channels=[channels[index] for index in self.backbone_indices], num_classes=num_classes)
        if pretrained is not None:
            load_weights(self, pretrained)

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map float N×channels×H×W, normalised as the config says, to logits N×num_classes×H×W."""
        require_multiple(x, getattr(self.head, "size_multiple", 1), type(self.head).__name__)
        features = self.backbone(x)
        return self.head([features[index] for index in self.backbone_indices], spatial_size(x))


def _feature_channels(backbone: nn.Layer) -> list[int]:
    for attribute in ("feature_channels", "feat_channels"):
        if (channels := getattr(backbone, attribute, None)) is not None:
            return list(channels)
    raise UserError(
        f"backbone {type(backbone).__name__} says nowhere how many channels its features have: "
        "give it an attribute feature_channels, a list from fine to coarse."
    )
