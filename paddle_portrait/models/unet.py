"""U-Net: the classic encoder and decoder with skips at every scale, 31 M parameters.

Source: Ronneberger, Fischer and Brox, MICCAI 2015; padded convolutions keep the size, as most users of it have them.
The slim U-Net of toytag/humanMatting's notebook is ``LikeUNet`` of variant ``full`` and width 2.
"""

from __future__ import annotations

from itertools import pairwise

import paddle
from paddle import nn

from paddle_portrait import kernels
from paddle_portrait.models.blocks import BATCH_NORM, ConvNormAct, conv2d, deconv2d
from paddle_portrait.models.output import SegOutput
from paddle_portrait.models.sizes import require_multiple
from paddle_portrait.models.weights import load_weights
from paddle_portrait.registry import MODELS

_WIDTHS = (64, 128, 256, 512, 1024)


@MODELS.register()
class UNet(nn.Layer):
    """U-Net.

    Args:
        num_classes: channels of the output; 2 means background and person, 1 is one logit.
        in_channels: channels of the input.
        width: multiple of all channels between input and output.
        batch_norm: batch norm after every 3×3 convolution; the paper has none.
        pretrained: zoo name or path of weights to start from.
    """

    def __init__(
        self,
        num_classes: int = 2,
        in_channels: int = 3,
        width: float = 1.0,
        batch_norm: bool = True,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        norm = BATCH_NORM if batch_norm else None

        def twice(channels_in: int, channels_out: int) -> nn.Sequential:
            first = ConvNormAct(channels_in, channels_out, 3, norm=norm)
            return nn.Sequential(first, ConvNormAct(channels_out, channels_out, 3, norm=norm))

        widths = [round(value * width) for value in _WIDTHS]
        pairs = list(pairwise(widths))
        self.enter = twice(in_channels, widths[0])
        self.down = nn.LayerList([twice(fine, coarse) for fine, coarse in pairs])
        self.up = nn.LayerList([deconv2d(coarse, fine, 2, stride=2) for fine, coarse in reversed(pairs)])
        self.join = nn.LayerList([twice(2 * fine, fine) for fine, _ in reversed(pairs)])
        self.head = conv2d(widths[0], num_classes)
        if pretrained is not None:
            load_weights(self, pretrained)

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map float N×in_channels×H×W, H and W multiples of 16, to logits."""
        require_multiple(x, 16, "UNet")
        x = self.enter(x)
        skips = []
        for down in self.down:  # 1/2 to 1/16
            skips.append(x)
            x = down(kernels.max_pool2d(x, 2, 2))
        for up, join, skip in zip(self.up, self.join, reversed(skips), strict=True):
            x = join(paddle.concat([skip, up(x)], axis=1))
        return SegOutput(self.head(x))
