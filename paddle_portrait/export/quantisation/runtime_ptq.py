"""ONNX Runtime's own quantiser: what "just quantise it" gives, for comparison, and its better percentile ranges."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto

_PERCENTILE = 99.99
# A histogram keeps every value of every tensor: ten megabytes an image and more.
_IMAGES_OF_A_HISTOGRAM = 32


def quantise_by_runtime(
    model: ModelProto, calibration: Sequence[np.ndarray], ranges: Literal["minmax", "percentile"]
) -> ModelProto:
    """Quantise a simplified graph: weights int8 for each channel, activations uint8, both written as QDQ nodes.

    Args:
        model: float, as :func:`~paddle_portrait.export.quantisation.graph.simplified` gives it.
        calibration: inputs of the graph.
        ranges: ``minmax`` takes the least and greatest values seen, ``percentile`` all but one in ten thousand.
    """
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    class Reader(CalibrationDataReader):
        def __init__(self, inputs: Sequence[np.ndarray]) -> None:
            self._items: Iterator[np.ndarray] = iter(inputs)

        def get_next(self) -> dict[str, np.ndarray] | None:
            array = next(self._items, None)
            return None if array is None else {model.graph.input[0].name: array}

    histogram = ranges == "percentile"
    with TemporaryDirectory() as scratch:
        result = Path(scratch) / "int8.onnx"
        prepared = copy.deepcopy(model)  # the quantiser moves the weights of what it gets into files
        add_pre_process_metadata(prepared)  # without that it advises to do what simplifying has done
        quantize_static(
            prepared,
            str(result),
            Reader(calibration[:_IMAGES_OF_A_HISTOGRAM] if histogram else calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            calibrate_method=CalibrationMethod.Percentile if histogram else CalibrationMethod.MinMax,
            extra_options={"CalibPercentile": _PERCENTILE} if histogram else {},
        )
        return onnx.load(str(result))
