"""What the flags and the config's ``export`` section ask for, settled before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Sequence

from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.inference.outputs import OUTPUT_OPS

Shape = tuple[int, int, int, int]


def settle_output_op(
    output_op: str | None = None,
    with_softmax: bool = False,
    without_argmax: bool = False,
    configured: str | None = None,
    person_only: bool = False,
) -> str:
    """Return what the exported graph ends in.

    PaddleSeg's two spellings mean the same: ``output_op``, or ``with_softmax`` (probabilities, with or without
    ``without_argmax``) and ``without_argmax`` alone (logits). With none of them the config decides, and
    without its word argmax, as in PaddleSeg.

    Args:
        output_op: ``"argmax"``, ``"softmax"``, ``"sigmoid"`` or ``"none"``.
        with_softmax: probabilities are wanted.
        without_argmax: class numbers are not wanted.
        configured: ``export.output_op`` of the config.
        person_only: of the probabilities, the person's channel alone: ``"softmax"`` becomes ``"sigmoid"``.

    Raises:
        UserError: unknown, or the flags contradict each other.
    """
    for value in (output_op, configured):
        if value is not None and value not in OUTPUT_OPS:
            raise UserError(describe_unknown("output_op", str(value), OUTPUT_OPS))
    if output_op is not None:
        if with_softmax and output_op != "softmax":
            raise UserError(f"--output_op {output_op} contradicts --with_softmax. Leave one of them out.")
        if without_argmax and output_op == "argmax":
            raise UserError("--output_op argmax contradicts --without_argmax. Leave one of them out.")
        chosen = output_op
    elif with_softmax:
        chosen = "softmax"
    elif without_argmax:
        chosen = "none"
    else:
        chosen = configured or "argmax"
    if person_only and chosen not in ("softmax", "sigmoid"):
        raise UserError(f"export.person_only needs probabilities, but output_op is '{chosen}'. Choose softmax.")
    return "sigmoid" if person_only else chosen


def settle_input_shape(given: Sequence[int] | None, fixed_hw: tuple[int, int] | None, channels: int) -> Shape:
    """Return the graph's input shape N, C, H, W; -1 where any size goes.

    Args:
        given: ``H W`` or ``N C H W``, with -1 for any; None: as ``fixed_hw`` says.
        fixed_hw: the size to which the config's transforms bring every image, if there is one.
        channels: input channels of the network.

    Raises:
        UserError: not 2 or 4 numbers, a number that is no size, or another number of channels.
    """
    if given is None:
        return (1, channels, *fixed_hw) if fixed_hw else (-1, channels, -1, -1)
    values = [-1 if value is None else value for value in given]
    if len(values) == 2:
        any_size = -1 in values
        values = [-1 if any_size else 1, channels, *values]
    if len(values) != 4 or any(not isinstance(value, int) or (value < 1 and value != -1) for value in values):
        raise UserError(
            f"input shape {list(given)}: give 'H W' or 'N C H W', whole numbers from 1 on, or -1 for any size."
        )
    if values[1] not in (-1, channels):
        raise UserError(f"input shape {list(given)}: the network takes {channels} channels, not {values[1]}.")
    return values[0], channels, values[2], values[3]
