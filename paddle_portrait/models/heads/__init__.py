"""Decoders: ``head(in_channels=[…], num_classes=n, options…)(features, input_size)``."""

from paddle_portrait.models.heads.deeplab_pooling import DeepLabPoolingHead
from paddle_portrait.models.heads.mobile_unet import MobileUNetHead
from paddle_portrait.models.heads.transition import TransitionHead

__all__ = ["DeepLabPoolingHead", "MobileUNetHead", "TransitionHead"]
