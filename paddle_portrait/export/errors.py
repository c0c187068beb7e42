"""What can go wrong in an export."""

from __future__ import annotations

from paddle_portrait.errors import UserError


class ExportError(UserError):
    """A target cannot be written: the message says which, why, and what to do."""


class ParityError(ExportError):
    """An exported model does not compute what the trained network computes."""


class MissingPackageError(ExportError):
    """A target needs packages that are not installed: the message names the command that installs them."""


class CannotRunHereError(Exception):
    """Nothing on this machine runs a target that was written, which then counts as neither right nor wrong."""
