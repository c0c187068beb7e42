"""Int8 after training by NNCF: ranges, what is quantised and a correction of biases are its own choice."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from paddle_portrait.export.targets import require_packages

if TYPE_CHECKING:
    from onnx import ModelProto

INSTALL = 'pip install "paddle_portrait[quantise]"'


def quantise_by_nncf(model: ModelProto, calibration: Sequence[np.ndarray]) -> ModelProto:
    """Quantise a simplified graph with NNCF's mixed preset (symmetric weights, asymmetric activations).

    Args:
        model: float, as :func:`~paddle_portrait.export.quantisation.graph.simplified` gives it.
        calibration: inputs of the graph.

    Raises:
        MissingPackageError: NNCF is not installed.
    """
    require_packages("onnx_int8", ("nncf",), INSTALL)
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    name = model.graph.input[0].name
    return nncf.quantize(
        model,
        nncf.Dataset([{name: array} for array in calibration]),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(calibration),
    )
