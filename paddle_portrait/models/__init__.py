"""Networks. Importing this package registers them; each file reads like its block diagram."""

from paddle_portrait.models import backbones, heads
from paddle_portrait.models.encoder_decoder import EncoderDecoder
from paddle_portrait.models.extremec3net import ExtremeC3Net
from paddle_portrait.models.fcn8s import FCN8s
from paddle_portrait.models.humanseg_lite_2020 import HumanSegLite2020
from paddle_portrait.models.late_fusion import LateFusion
from paddle_portrait.models.likeunet import LikeUNet
from paddle_portrait.models.mediapipe_selfie import MediaPipeSelfie
from paddle_portrait.models.output import SegOutput, as_seg_output
from paddle_portrait.models.portrait_net import PortraitNet
from paddle_portrait.models.pp_humanseg_lite import PPHumanSegLite
from paddle_portrait.models.prisma_net import PrismaNet
from paddle_portrait.models.sinet import SINet
from paddle_portrait.models.slim_net import SlimNet
from paddle_portrait.models.unet import UNet
from paddle_portrait.models.weights import LoadReport, load_weights, read_weights

__all__ = [
    "EncoderDecoder",
    "ExtremeC3Net",
    "FCN8s",
    "HumanSegLite2020",
    "LateFusion",
    "LikeUNet",
    "LoadReport",
    "MediaPipeSelfie",
    "PPHumanSegLite",
    "PortraitNet",
    "PrismaNet",
    "SINet",
    "SegOutput",
    "SlimNet",
    "UNet",
    "as_seg_output",
    "backbones",
    "heads",
    "load_weights",
    "read_weights",
]
