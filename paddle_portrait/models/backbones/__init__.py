"""Encoders. Each returns features from fine to coarse and says their channels in ``feature_channels``."""

from paddle_portrait.models.backbones.mobilenet_v2 import MobileNetV2
from paddle_portrait.models.backbones.mobilenet_v3_minimalistic import MobileNetV3SmallMinimalistic

__all__ = ["MobileNetV2", "MobileNetV3SmallMinimalistic"]
