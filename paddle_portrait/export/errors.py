"""What can go wrong in an export."""

from __future__ import annotations

from paddle_portrait.errors import UserError


class ExportError(UserError):
    """A target cannot be written: the message says which, why, and what to do."""


class ParityError(ExportError):
    """An exported model does not compute what the trained network computes."""
