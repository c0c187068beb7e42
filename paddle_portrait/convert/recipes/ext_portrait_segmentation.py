"""SINet and ExtremeC3Net (clovaai/ext_portrait_segmentation), and the SINet that Portrait-Segmentation trained."""

from __future__ import annotations

from paddle_portrait.convert.recipes.origins import EXT_PORTRAIT_SEGMENTATION, PORTRAIT_SEGMENTATION
from paddle_portrait.convert.recipes.recipe import Golden, Recipe, by_name

_SINET_NAMES = (
    (r"^encoder\.level1\.bn\.", "encoder.stem.norm."),
    (r"^encoder\.level1\.", "encoder.stem."),
    (r"^encoder\.level([23])_0\.conv\.0\.", r"encoder.down\1.depthwise."),
    (r"^encoder\.level([23])_0\.conv\.1\.dense\.", r"encoder.down\1.excite.weigh."),
    (r"^encoder\.level([23])_0\.conv\.2\.", r"encoder.down\1.pointwise.conv."),
    (r"^encoder\.level([23])_0\.bn\.", r"encoder.down\1.pointwise.norm."),
    (r"^encoder\.level([23])_0\.act\.", r"encoder.down\1.pointwise.act."),
    (r"\.c1\.conv\.", ".squeeze."),
    (r"\.d1\.", ".first."),
    (r"\.d2\.", ".second."),
    (r"\.(first|second)\.conv\.0\.", r".\1.depthwise.conv."),
    (r"\.(first|second)\.conv\.1\.", r".\1.depthwise.norm."),
    (r"\.(first|second)\.act_conv1x1\.0\.", r".\1.depthwise.act."),
    (r"\.(first|second)\.act_conv1x1\.1\.", r".\1.pointwise."),
    (r"\.(first|second)\.bn\.", r".\1.norm."),
    (r"\.BR([23]?)\.bn\.", r".join\1.norm."),
    (r"\.BR([23]?)\.act\.", r".join\1.act."),
    (r"^encoder\.classifier\.conv\.", "encoder.classifier."),
    (r"^bn_3\.", "decoder.coarse_norm."),
    (r"^bn_2\.", "decoder.joint_norm."),
    (r"^level2_C\.bn\.", "decoder.detail.norm."),
    (r"^level2_C\.", "decoder.detail."),
    (r"^classifier\.1\.", "decoder.classifier."),
    (r"(\.act|\.weigh\.[13])\.weight$", r"\1._weight"),  # Paddle's name for the slopes of a PReLU
)

# A branch is seven layers where it is dilated, two where not; its first three are one block of ours.
_DILATED = r"(level2_0\.d[23]|level2\.0\.d[23]|level3_0\.d[23]|level3\.\d\.d\d|Fine\.1\.d\d)\.conv"
_EXTREMEC3_NAMES = (
    (_DILATED + r"\.0\.", r"\1.0.conv."),
    (_DILATED + r"\.1\.", r"\1.0.norm."),
    (_DILATED + r"\.2\.", r"\1.0.act."),
    (_DILATED + r"\.3\.", r"\1.1."),
    (_DILATED + r"\.4\.", r"\1.2."),
    (_DILATED + r"\.5\.", r"\1.3."),
    (_DILATED + r"\.6\.", r"\1.4."),
    (r"\.d1(\.conv)?\.", ".branches.0."),
    (r"\.d2\.", ".branches.1."),
    (r"\.d3\.", ".branches.2."),
    (r"\.c1\.conv\.", ".reduce."),
    (r"\.b([123])\.bn\.", r".join\1.norm."),
    (r"\.b([123])\.act\.", r".join\1.act."),
    (r"^encoder\.level1\.bn\.", "encoder.stem.norm."),
    (r"^encoder\.level1\.", "encoder.stem."),
    (r"^encoder\.level2_0\.(bn|act)\.", r"encoder.down2.\1.\1."),
    (r"^encoder\.level2_0\.", "encoder.down2."),
    (r"^encoder\.level2\.0\.", "encoder.level2."),
    (r"^encoder\.level3_0\.", "encoder.widen3."),
    (r"^Fine\.0\.conv\.", "fine_stem."),
    (r"^Fine\.1\.", "fine."),
    (r"^upsample\.0\.", "reduce.conv."),
    (r"^upsample\.1\.", "reduce.norm."),
    (r"^classifier\.0\.(bn|act)\.", r"join.\1."),
    (r"^classifier\.2\.", "classifier."),
    (r"\.(bn|act)\.(bn|act)\.", r".join.\2."),
    (r"(^|\.)(join\d?)\.bn\.", r"\1\2.norm."),
    (r"\.act\.weight$", ".act._weight"),
)

RECIPES = [
    Recipe(
        name="sinet_320",
        sources=("sinet/sinet_aisegment_320.pth",),
        config="configs/sinet/sinet_320.yml",
        match=by_name(_SINET_NAMES),
        origin=PORTRAIT_SEGMENTATION,
        golden=Golden("sinet_anil_320_logits.npz", "logits"),
        note="Trained on AISegment and other portraits at 320x320.",
    ),
    Recipe(
        name="sinet_eg1800_224",
        sources=("sinet/sinet_eg1800_224.pth",),
        config="configs/sinet/sinet_eg1800_224.yml",
        match=by_name(_SINET_NAMES),
        origin=EXT_PORTRAIT_SEGMENTATION,
        golden=Golden("sinet_clova_224_logits.npz", "logits"),
        note="Its authors' training on EG1800 and pseudo-labelled photos at 224x224.",
    ),
    Recipe(
        name="extremec3_224",
        sources=("extremec3net/ExtremeC3.pth",),
        config="configs/extremec3net/extremec3_224.yml",
        match=by_name(_EXTREMEC3_NAMES),
        origin=EXT_PORTRAIT_SEGMENTATION,
        golden=Golden("extremec3_224_logit.npz", "logits"),
        note="One logit, positive for a person; trained with a Lovász hinge, its sigmoid is not calibrated.",
    ),
]
