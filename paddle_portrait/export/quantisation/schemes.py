"""The ways to quantise a float graph, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from paddle_portrait.errors import describe_unknown
from paddle_portrait.export.errors import ExportError
from paddle_portrait.export.quantisation.nncf_ptq import quantise_by_nncf
from paddle_portrait.export.quantisation.runtime_ptq import quantise_by_runtime
from paddle_portrait.export.quantisation.weight_only import quantise_weights

if TYPE_CHECKING:
    from onnx import ModelProto

WEIGHTS, HALF, LEARNED = "weights", "fp16", "learned"
Quantise: TypeAlias = "Callable[[ModelProto, Sequence[np.ndarray]], ModelProto]"


@dataclass(frozen=True)
class Scheme:
    """A way to quantise.

    Attributes:
        target: name of the folder, back end and entry in ``parity.json``.
        quantise: from a simplified float graph and calibration inputs to the quantised graph; None where it takes
            more than these.
        calibrated: whether it looks at photos.
        in_int8: whether it multiplies in int8.
    """

    target: str
    quantise: Quantise | None
    calibrated: bool
    in_int8: bool


SCHEMES: dict[str, Scheme] = {
    "nncf": Scheme("onnx_int8", quantise_by_nncf, True, True),
    "minmax": Scheme("onnx_int8", partial(quantise_by_runtime, ranges="minmax"), True, True),
    "percentile": Scheme("onnx_int8", partial(quantise_by_runtime, ranges="percentile"), True, True),
    LEARNED: Scheme("onnx_int8", None, False, True),
    WEIGHTS: Scheme("onnx_int8_weights", lambda model, _: quantise_weights(model), False, False),
    HALF: Scheme("onnx_fp16", None, False, False),
}


def scheme_of(name: str) -> Scheme:
    """Return the scheme of a name.

    Raises:
        ExportError: there is none.
    """
    if name not in SCHEMES:
        raise ExportError(describe_unknown("scheme", name, SCHEMES))
    return SCHEMES[name]
