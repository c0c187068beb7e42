"""Heads in YAML: their options are written there; channels and classes come from the network around them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from paddle import nn

from paddle_portrait.registry import HEADS

Head = TypeVar("Head", bound="type[nn.Layer]")
GIVEN_BY_NETWORK = ("in_channels", "num_classes")


def register_head(head: Head) -> Head:
    """Decorate a head class to register it under its own name.

    Building it by name gives a ``partial`` that waits for ``in_channels`` (those of the features, fine to coarse)
    and ``num_classes``; called directly, the class is itself.
    """

    def with_options(**options: Any) -> Callable[..., nn.Layer]:
        return partial(head, **options)  # type: ignore[misc]  # Paddle has no types, so its classes are Any

    signature = inspect.signature(head)
    free = [argument for name, argument in signature.parameters.items() if name not in GIVEN_BY_NETWORK]
    with_options.__doc__ = head.__doc__
    with_options.__wrapped__ = head.__init__  # type: ignore[attr-defined]  # where annotations are looked up
    with_options.__signature__ = signature.replace(parameters=free)  # type: ignore[attr-defined]
    HEADS.register(head.__name__)(with_options)
    return head
