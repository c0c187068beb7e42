"""Networks. Importing this package registers them; each file reads like its block diagram."""

from paddle_portrait.models.output import SegOutput, as_seg_output
from paddle_portrait.models.pp_humanseg_lite import PPHumanSegLite
from paddle_portrait.models.weights import LoadReport, load_weights, read_weights

__all__ = ["LoadReport", "PPHumanSegLite", "SegOutput", "as_seg_output", "load_weights", "read_weights"]
