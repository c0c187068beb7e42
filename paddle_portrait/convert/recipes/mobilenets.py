"""Released networks on MobileNets: Mobile-UNet, MobileNetV3-Small with the transition decoder, DeepLab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from paddle_portrait.convert.recipes.origins import PORTRAIT_SEGMENTATION
from paddle_portrait.convert.recipes.recipe import Golden, Recipe, by_execution

if TYPE_CHECKING:
    import numpy as np
    import paddle
    from paddle import nn

    from paddle_portrait.convert.source import SourceModel


def _mobile_unet(
    network: nn.Layer, sources: Sequence[SourceModel], example_input: paddle.Tensor
) -> dict[str, np.ndarray]:
    """Match by execution; the file's last layer is a transposed 1×1 convolution, which is a convolution."""
    (source,) = sources
    *layers, last = source.layers
    weight = last.arrays["weight"].transpose(1, 0, 2, 3)
    plain = replace(last, kind="conv", arrays={**last.arrays, "weight": weight})
    return by_execution()(network, [replace(source, layers=[*layers, plain])], example_input)


RECIPES = (
    Recipe(
        name="mobile_unet_bilinear_128",
        sources=("mobile_unet/bilinear_fin_munet_uint8.tflite",),
        config="configs/mobile_unet/mobile_unet_bilinear_128.yml",
        match=_mobile_unet,
        origin=PORTRAIT_SEGMENTATION,
        golden=Golden("munet_bilinear_dequantised.npz"),
        note="Mobile-UNet with bilinear steps on MobileNetV2 of half width, 128×128. The file holds weights of int8.",
    ),
    Recipe(
        name="mnv3_small_256",
        sources=("mnv3_small_transition/mnv3_seg_float.tflite",),
        config="configs/mobilenet_v3_transition/mnv3_small_256.yml",
        match=by_execution(),
        origin=PORTRAIT_SEGMENTATION,
        golden=Golden("mnv3small256_float_logits.npz", "logits"),
        note="MobileNetV3-Small (minimalistic) with the transition decoder, 256×256, trained on AISegment.",
    ),
    Recipe(
        name="deeplab_mnv2_513",
        sources=("deeplab_mnv2_dm05/deeplab_nchw.onnx",),
        config="configs/deeplab/deeplab_mnv2_513.yml",
        match=by_execution(),
        origin=PORTRAIT_SEGMENTATION,
        golden=Golden("deeplab_dm05_float_logits.npz", "logits"),
        note="DeepLab with MobileNetV2 of half width, 513×513 at output stride 8, trained on AISegment at 16. The ONNX "
        "file keeps the batch norms, which the TFLite file folds; its own resizes lost align_corners, ours did not.",
    ),
)
