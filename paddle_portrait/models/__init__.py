"""Networks. Importing this package registers them; each file reads like its block diagram."""

from paddle_portrait.models.extremec3net import ExtremeC3Net
from paddle_portrait.models.output import SegOutput, as_seg_output
from paddle_portrait.models.pp_humanseg_lite import PPHumanSegLite
from paddle_portrait.models.sinet import SINet
from paddle_portrait.models.weights import LoadReport, load_weights, read_weights

__all__ = [
    "ExtremeC3Net",
    "LoadReport",
    "PPHumanSegLite",
    "SINet",
    "SegOutput",
    "as_seg_output",
    "load_weights",
    "read_weights",
]
