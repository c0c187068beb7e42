"""What the output of an exported graph means, and the person probability in it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from paddle_portrait.errors import UserError

OUTPUT_OPS = ("argmax", "softmax", "sigmoid", "none")


def guess_output_op(outputs: Iterable[np.ndarray]) -> str:
    """Tell from a graph's outputs on several inputs which operation it ends in.

    Integers are class numbers. Channels that sum to one everywhere are a softmax; a single channel that
    stays inside [0, 1] is a sigmoid; anything else is logits (``"none"``).
    """
    outputs = list(outputs)
    if any(np.issubdtype(output.dtype, np.integer) for output in outputs):
        return "argmax"
    inside = all(float(output.min()) >= 0.0 and float(output.max()) <= 1.0 for output in outputs)
    if inside and all(output.shape[1] == 1 for output in outputs):
        return "sigmoid"
    if inside and all(np.allclose(output.sum(axis=1), 1.0, atol=1e-3) for output in outputs):
        return "softmax"
    return "none"


def person_probability(output: np.ndarray, output_op: str) -> np.ndarray:
    """Return the person probability, float32 N×H×W in [0, 1], of a graph's raw output.

    Class 0 is the background; the person is whatever is not background.

    Args:
        output: integer N×H×W or N×1×H×W class numbers for ``"argmax"``, else float N×C×H×W; a single
            channel is the person's.
        output_op: one of :data:`OUTPUT_OPS`.

    Raises:
        UserError: the output's type or shape cannot be that of ``output_op``.
    """
    is_classes = np.issubdtype(output.dtype, np.integer)
    if is_classes != (output_op == "argmax") or output.ndim not in ((3, 4) if is_classes else (4,)):
        raise UserError(
            f"the model's output is {output.dtype} of shape {list(output.shape)}, which is not a result of "
            f"'{output_op}'. Correct Deploy.output_op in deploy.yaml or export the model again."
        )
    if is_classes:
        classes = output[:, 0] if output.ndim == 4 else output
        return (classes > 0).astype(np.float32)
    if output_op == "none":
        return _person_of_logits(output)
    if output.shape[1] > 2:
        return 1.0 - output[:, 0]
    return output[:, -1].astype(np.float32, copy=False)


def _person_of_logits(logits: np.ndarray) -> np.ndarray:
    """Return 1 - softmax of the background, or the sigmoid of a single channel, without overflow."""
    if logits.shape[1] == 1:
        return _sigmoid(logits[:, 0])
    persons = logits[:, 1:]
    top = persons.max(axis=1)
    if logits.shape[1] > 2:
        top = top + np.log(np.exp(persons - top[:, None]).sum(axis=1))
    return _sigmoid(top - logits[:, 0])


def _sigmoid(values: np.ndarray) -> np.ndarray:
    # The clip keeps exp finite; beyond it the answer is 0 to float32 anyway.
    return 1.0 / (1.0 + np.exp(np.minimum(-values, 80.0)))
