"""What it takes to convert one released checkpoint. Each module beside this one lists those of one family."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paddle_portrait.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import paddle
    from paddle import nn

    from paddle_portrait.convert.source import SourceModel

    # (network, sources in the recipe's order, example input) -> state dict by the network's names
    Match = Callable[[nn.Layer, Sequence[SourceModel], paddle.Tensor], dict[str, np.ndarray]]

OUTPUTS = ("logits", "probability")


@dataclass(frozen=True)
class Origin:
    """Where a checkpoint comes from.

    Attributes:
        title: short name of the project.
        url: its repository.
        licence: ``MIT`` or ``Apache-2.0``, a text of convert/licences.
        copyright: the copyright line that its licence asks to keep.
    """

    title: str
    url: str
    licence: str
    copyright: str


@dataclass(frozen=True)
class Golden:
    """An answer of the original to one picture, which the converted network must give, too.

    Attributes:
        file: name in the checkpoints' folder ``golden``, with arrays ``x`` (uint8 BGR or grey) and ``y``.
        output: what ``y`` holds: ``logits`` (C×H×W), or ``probability`` (H×W of the person, or both classes).
    """

    file: str
    output: str = "probability"


@dataclass(frozen=True)
class Recipe:
    """How a released checkpoint becomes weights of ours.

    Attributes:
        name: zoo name.
        sources: files below the checkpoints' folder, which ``match`` gets in this order.
        config: YAML of the network and its preprocessing, relative to the repository.
        match: pairs the files' layers with the network's; see :func:`by_execution` and :func:`by_name`.
        origin: whose it is; None for a file of the user's own.
        golden: the answer to reproduce, where there is one.
        note: a sentence for the model card.
    """

    name: str
    sources: tuple[str, ...]
    config: str
    match: Match
    origin: Origin | None
    golden: Golden | None = None
    note: str = ""


def by_execution(after: Mapping[str, str] | None = None) -> Match:
    """Return a matcher of one file by the order of execution.

    Args:
        after: layers of the file that the network runs elsewhere: each key directly after its value.
    """

    def match(network: nn.Layer, sources: Sequence[SourceModel], example_input: paddle.Tensor) -> dict[str, np.ndarray]:
        from paddle_portrait.convert.matching import match_by_execution

        (source,) = sources
        return match_by_execution(network, source.reordered(after or {}), example_input)

    return match


def by_name(renames: Sequence[tuple[str, str]] = ()) -> Match:
    """Return a matcher of one file by names; see :func:`paddle_portrait.convert.matching.match_by_name`."""

    def match(network: nn.Layer, sources: Sequence[SourceModel], example_input: paddle.Tensor) -> dict[str, np.ndarray]:
        from paddle_portrait.convert.matching import match_by_name

        (source,) = sources
        return match_by_name(network, source, renames)

    return match


def recipe_for(config: str, source: str, renames: Sequence[str] = ()) -> Recipe:
    """Return a recipe for a file of the user's own, with what is known of none such: no origin, no golden answer.

    Args:
        config: YAML of the network.
        source: path of the file; PyTorch's are matched by name, all others by the order of execution.
        renames: ``REGEX=NEW`` for :func:`by_name`.

    Raises:
        UserError: a rename has no ``=`` or no valid expression, or the file is not matched by name.
    """
    named = Path(source).suffix.lower() in (".pth", ".pt")
    if renames and not named:
        raise UserError(f"renames are for PyTorch files; '{source}' is matched by the order of execution.")
    pairs = [_rename(text) for text in renames]
    match = by_name(pairs) if named else by_execution()
    return Recipe(Path(config).stem, (source,), str(Path(config).resolve()), match, None)


def _rename(text: str) -> tuple[str, str]:
    pattern, separator, replacement = text.partition("=")
    try:
        re.compile(pattern)
    except re.error as error:
        raise UserError(f"rename '{text}': '{pattern}' is no regular expression ({error}).") from None
    if not separator:
        raise UserError(f"rename '{text}' must be REGEX=NEW.")
    return pattern, replacement
