"""ExtremeC3Net: 38 K parameters; dilated depthwise branches, and a fine branch beside the encoder.

Source: ExtremeC3Net, Park et al., ICCV workshops 2019, and clovaai/ext_portrait_segmentation (MIT), whose
checkpoints convert.
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.models.blocks import BATCH_NORM, ConvNormAct, NormAct, NormOptions, batch_norm, conv2d
from paddle_portrait.models.layers import resize_bilinear, spatial_size
from paddle_portrait.models.output import SegOutput
from paddle_portrait.models.sizes import require_multiple
from paddle_portrait.models.weights import load_weights
from paddle_portrait.registry import MODELS

NORM = NormOptions(epsilon=1e-3)


@MODELS.register()
class ExtremeC3Net(nn.Layer):
    """ExtremeC3Net.

    Args:
        num_classes: channels of the output; 1 is one logit, positive for a person.
        in_channels: channels of the input.
        encoder_only: without the fine branch and with a classifier of its own, as the authors train first; the
            encoder's parameters keep their names, so that a second stage starts from them.
        pretrained: zoo name or path of weights to start from.
    """

    # What a second stage leaves behind when it starts from the encoder alone.
    unused_checkpoint_keys = r"encoder_classifier\..*"

    def __init__(
        self,
        num_classes: int = 1,
        in_channels: int = 3,
        encoder_only: bool = False,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.encoder_only = encoder_only
        self.encoder = ExtremeC3Encoder(in_channels)
        if encoder_only:
            self.encoder_classifier = conv2d(112, num_classes, bias=False)
        else:
            self.reduce = ConvNormAct(112, 24, act="none")
            self.fine_stem = conv2d(in_channels, 24, 3, stride=2, bias=False)
            self.fine = C3Block(24, 24, (2, 4, 8))
            self.join = NormAct(24, NORM, "prelu")
            self.classifier = conv2d(24, num_classes, bias=False)
        if pretrained is not None:
            load_weights(self, pretrained)

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map float N×in_channels×H×W to logits of that size.

        Raises:
            UserError: height or width is not a multiple of 4.
        """
        require_multiple(x, 4, "ExtremeC3Net")
        size = spatial_size(x)
        features = self.encoder(x)  # 1/4
        if self.encoder_only:
            return SegOutput(resize_bilinear(self.encoder_classifier(features), size, align_corners=True))
        fine = self.fine(self.fine_stem(x))  # 1/2
        coarse = resize_bilinear(self.reduce(features), spatial_size(fine), align_corners=True)
        joint = resize_bilinear(self.join(coarse + fine), size, align_corners=True)
        return SegOutput(self.classifier(joint))


class ExtremeC3Encoder(nn.Layer):
    """112 channels at 1/4; the image itself, pooled, joins at 1/2 and 1/4."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.stem = ConvNormAct(in_channels, 24, 3, stride=2, norm=NORM, act="prelu")
        self.join1 = NormAct(24 + in_channels, NORM, "prelu")
        self.down2 = C3Block(24 + in_channels, 48, (1, 2, 3), stride=2)
        self.level2 = C3Block(48, 48, (1, 3, 4))
        self.join2 = NormAct(48 + 48 + in_channels, NORM, "prelu")
        self.widen3 = C3Block(96 + in_channels, 56, (1, 3, 5))
        self.level3 = nn.Sequential(*(C3Block(56, 56, (2, 4, 8)) for _ in range(5)))
        self.join3 = NormAct(56 + 56, NORM, "prelu")

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map N×in×H×W to N×112×H/4×W/4."""
        half = F.avg_pool2d(x, 2, stride=2)
        quarter = F.avg_pool2d(half, 2, stride=2)
        x = self.down2(self.join1(paddle.concat([self.stem(x), half], axis=1)))  # 1/4
        x = self.widen3(self.join2(paddle.concat([self.level2(x), x, quarter], axis=1)))
        return self.join3(paddle.concat([x, self.level3(x)], axis=1))


class C3Block(nn.Layer):
    """Reduce the channels, three dilated branches, concat, add the input where shapes allow, batch norm, PReLU.

    Args:
        in_channels: channels in.
        out_channels: channels out; a third of them (the first branch takes the remainder) from each branch.
        dilations: of the branches.
        stride: 2 halves the size, by a 3×3 reduction; 1 reduces by 1×1.
    """

    def __init__(self, in_channels: int, out_channels: int, dilations: tuple[int, int, int], stride: int = 1) -> None:
        super().__init__()
        third = out_channels // 3
        self.reduce = conv2d(in_channels, third, 3 if stride > 1 else 1, stride=stride, bias=False)
        widths = (out_channels - 2 * third, third, third)
        self.branches = nn.LayerList(
            [c3_branch(third, width, dilation) for width, dilation in zip(widths, dilations, strict=True)]
        )
        self.join = NormAct(out_channels, NORM, "prelu")
        self._adds_input = stride == 1 and in_channels == out_channels

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map N×in×H×W to N×out×H/stride×W/stride."""
        reduced = self.reduce(x)
        joint = paddle.concat([branch(reduced) for branch in self.branches], axis=1)
        return self.join(x + joint if self._adds_input else joint)


def c3_branch(in_channels: int, out_channels: int, dilation: int) -> nn.Sequential:
    """Return a dilated depthwise 3×3 and a 1×1; where dilated, a column and a row first gather what lies between."""
    reach = 2 * dilation - 1
    gather: list[nn.Layer] = []
    if dilation > 1:
        # These two norms, and the one after the encoder, have PyTorch's epsilon in the authors' weights.
        gather = [
            ConvNormAct(in_channels, in_channels, (reach, 1), groups=in_channels, norm=BATCH_NORM, act="prelu"),
            conv2d(in_channels, in_channels, (1, reach), groups=in_channels, bias=False),
            batch_norm(in_channels, BATCH_NORM),
        ]
    return nn.Sequential(
        *gather,
        conv2d(in_channels, in_channels, 3, dilation=dilation, groups=in_channels, bias=False),
        conv2d(in_channels, out_channels, bias=False),
    )
