"""The network as it is deployed: no auxiliary heads, and ends of the form that was asked for."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.export.errors import ExportError
from paddle_portrait.export.options import ExportOptions
from paddle_portrait.models.output import as_seg_output
from paddle_portrait.preprocess.bit_packing import pack_mask

_LOGITS = ExportOptions("none")


class InferenceGraph(nn.Layer):
    """A network's main output followed by what the options ask for.

    Only what the main output depends on is traced: auxiliary and boundary heads stay behind.

    Args:
        network: as deployed (:func:`as_deployed`); takes float N×C×H×W, its main output is N×classes×h×w.
        options: ``output_op`` gives ``"argmax"`` int32 N×h×w; ``"softmax"`` float N×classes×h×w; ``"sigmoid"`` the
            person probability, float N×1×h×w; ``"none"`` the logits. The last resize is not undone here:
            see :mod:`paddle_portrait.export.last_resize`.
        used_channels: input channels that the network reads, where the graph takes more; None: all.
        normalise: factor and addend of every channel, for a graph that takes uint8 levels; None: it takes floats.
    """

    def __init__(
        self,
        network: nn.Layer,
        options: ExportOptions = _LOGITS,
        used_channels: int | None = None,
        normalise: tuple[Sequence[float], Sequence[float]] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self._used_channels = used_channels
        self._finish = {"argmax": _argmax, "softmax": _softmax, "sigmoid": _person, "none": _logits}[options.output_op]
        self._flatten = options.flatten_output
        self._pack = None if options.bit_packed is None else _packing_convolution(options.bit_packed)
        self._packed_dtype = options.output_dtype
        self._normalise = normalise is not None
        for name, values in zip(("factor", "addend"), normalise or (), strict=False):
            column = np.asarray(values, np.float32).reshape(1, -1, 1, 1)
            self.register_buffer(name, paddle.to_tensor(column))

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map N×C×H×W to the output."""
        if self._used_channels is not None:
            x = x[:, : self._used_channels]
        if self._normalise:
            x = x.astype("float32") * self.factor + self.addend
        y = self._finish(as_seg_output(self.network(x)).logits)
        if self._pack is not None:
            y = self._pack(paddle.unsqueeze(y.astype("float32"), 1))
            y = (paddle.squeeze(y, 1)).astype(self._packed_dtype)
        return paddle.reshape(y, [0, -1]) if self._flatten else y


def _packing_convolution(bits: int) -> nn.Conv2D:
    """Return the convolution that turns ``bits`` pixels of a row into one value."""
    convolution = nn.Conv2D(1, 1, (1, bits), stride=(1, bits), bias_attr=False)
    weights = pack_mask(np.eye(bits, dtype=np.uint8), bits).reshape(1, 1, 1, bits)
    convolution.weight.set_value(weights)
    return convolution


def as_deployed(network: nn.Layer) -> nn.Layer:
    """Return what is traced of a network: itself, or a copy that its own ``deploy()`` has turned into fewer layers."""
    if not hasattr(network, "deploy"):
        return network
    network = copy.deepcopy(network)
    network.deploy()
    return network


def check_output_op(output_op: str, classes: int) -> None:
    """Raise ExportError when a network with ``classes`` output channels cannot end in ``output_op``."""
    if classes == 1 and output_op == "softmax":
        raise ExportError(
            "a softmax over the network's single output channel would be 1 everywhere. "
            "Use --output_op sigmoid for the person probability."
        )


def _argmax(logits: paddle.Tensor) -> paddle.Tensor:
    if logits.shape[1] == 1:
        return (logits[:, 0] > 0).astype("int32")
    return paddle.argmax(logits, axis=1, dtype="int32")


def _softmax(logits: paddle.Tensor) -> paddle.Tensor:
    # For two classes the sigmoid of the difference is the softmax. It overflows on no runtime, and is quicker: a
    # softmax over channels makes most runtimes move them to the end and back.
    if logits.shape[1] == 2:
        difference = logits[:, 1:2] - logits[:, 0:1]
        return paddle.concat([F.sigmoid(-difference), F.sigmoid(difference)], axis=1)
    return F.softmax(logits, axis=1)


def _person(logits: paddle.Tensor) -> paddle.Tensor:
    if logits.shape[1] == 1:
        return F.sigmoid(logits)
    if logits.shape[1] == 2:
        return F.sigmoid(logits[:, 1:2] - logits[:, 0:1])
    return 1.0 - F.softmax(logits, axis=1)[:, 0:1]


def _logits(logits: paddle.Tensor) -> paddle.Tensor:
    return logits
