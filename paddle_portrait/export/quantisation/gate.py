"""What a quantised model must keep to before anybody gets to see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from paddle_portrait.errors import UserError
from paddle_portrait.export.quantisation.judging import Drop
from paddle_portrait.export.quantisation.sensitivity import LayerHarm

LEAST_INT8_SHARE = 0.9
LARGEST_FILE_SHARE = 0.45
# Below so many parameters the nodes of a graph weigh as much as its weights.
SMALL_NETWORK = 500_000
_SHOWN_LAYERS = 5


class QuantisationError(UserError):
    """A quantised model lost too much, or won too little."""


@dataclass(frozen=True)
class Outcome:
    """What a quantisation has come to.

    Attributes:
        scheme: how it was made.
        drop: loss of mIoU in points.
        int8_share: of the multiply-adds, in [0, 1]; None where a scheme leaves arithmetic in float.
        bytes: size of the file.
        float_bytes: size of the float file.
        parameters: of the network.
        kept_float: layers that stayed in float, per draw all the same.
        harms: the worst layers of the scan.
        mask_iou: of the masks with the float graph's, the least of all draws; None: no photo has both classes.
    """

    scheme: str
    drop: Drop
    int8_share: float | None
    bytes: int
    float_bytes: int
    parameters: int
    kept_float: Sequence[str]
    harms: Sequence[LayerHarm]
    mask_iou: float | None

    @property
    def file_share(self) -> float:
        """Size of the file as a part of the float file's."""
        return self.bytes / self.float_bytes

    def faults(self, max_miou_drop: float) -> list[str]:
        """Return in words every rule that is broken."""
        drop, found = self.drop, []
        if drop.mean > max_miou_drop:
            found.append(
                f"it loses {drop.mean:.2f} points of mIoU (95 % interval {drop.low:.2f} to {drop.high:.2f}), allowed "
                f"are {max_miou_drop:g}"
            )
        if self.int8_share is not None and self.int8_share < LEAST_INT8_SHARE:
            found.append(f"{self.int8_share:.1%} of the multiply-adds are in int8, wanted are {LEAST_INT8_SHARE:.0%}")
        is_large = self.parameters > SMALL_NETWORK
        if self.scheme != "fp16" and is_large and self.file_share > LARGEST_FILE_SHARE:
            found.append(
                f"the file has {self.file_share:.0%} of the float one's size, allowed {LARGEST_FILE_SHARE:.0%}"
            )
        return found

    def require(self, max_miou_drop: float) -> None:
        """Raise QuantisationError, naming the layers that hurt, unless all rules are kept."""
        faults = self.faults(max_miou_drop)
        if not faults:
            return
        layers = ", ".join(f"{layer.name} ({layer.harm:.0%})" for layer in self.harms[:_SHOWN_LAYERS])
        hint = (
            f"The layers that hurt most, with the part of the error that each makes: {layers}. Keep some of them in "
            "float with --keep_float, take more or other photos,"
            if layers
            else "Take another scheme"
        )
        raise QuantisationError(
            f"scheme {self.scheme}: {'; '.join(faults)}. Nothing was written. {hint} or train for int8 "
            "(docs/quantisation.md)."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for ``quantisation.json``."""
        return {
            "scheme": self.scheme,
            "miou_drop_points": asdict(self.drop),
            "mask_iou": self.mask_iou,
            "int8_share_of_multiply_adds": self.int8_share,
            "bytes": self.bytes,
            "float_bytes": self.float_bytes,
            "parameters": self.parameters,
            "layers_in_float": list(self.kept_float),
            "worst_layers": [asdict(layer) for layer in self.harms[:_SHOWN_LAYERS]],
        }
