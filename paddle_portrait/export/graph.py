"""The network as it is deployed: no auxiliary heads, and the last operation that the user asked for."""

from __future__ import annotations

import copy

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.export.errors import ExportError
from paddle_portrait.models.output import as_seg_output


class InferenceGraph(nn.Layer):
    """A network's main output followed by argmax, softmax, sigmoid or nothing.

    Only what the main output depends on is traced: auxiliary and boundary heads stay behind.

    Args:
        network: takes float N×C×H×W; its main output is N×classes×h×w.
        output_op: ``"argmax"`` int32 N×h×w; ``"softmax"`` float N×classes×h×w; ``"sigmoid"`` the person
            probability, float N×1×h×w; ``"none"`` the logits.
    """

    def __init__(self, network: nn.Layer, output_op: str) -> None:
        super().__init__()
        self.network = as_deployed(network)
        self._finish = {"argmax": _argmax, "softmax": _softmax, "sigmoid": _person, "none": _logits}[output_op]

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map float N×C×H×W to the output."""
        return self._finish(as_seg_output(self.network(x)).logits)


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
    return F.softmax(logits, axis=1)


def _person(logits: paddle.Tensor) -> paddle.Tensor:
    # For two classes the sigmoid of the difference is the softmax, and cannot overflow on any runtime.
    if logits.shape[1] == 1:
        return F.sigmoid(logits)
    if logits.shape[1] == 2:
        return F.sigmoid(logits[:, 1:2] - logits[:, 0:1])
    return 1.0 - F.softmax(logits, axis=1)[:, 0:1]


def _logits(logits: paddle.Tensor) -> paddle.Tensor:
    return logits
