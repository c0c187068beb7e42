"""Errors that a user can mend. Command lines print them without a traceback and exit with code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in what the user gave: a file, a key, a value, a flag.

    The message says what was wrong, where, what is allowed and how to mend it.
    """


class UnknownNameError(UserError, KeyError):
    """A name that is in no registry, zoo or list of choices."""

    def __str__(self) -> str:  # KeyError would print the message in quotes
        return str(self.args[0])


def nearest_name(name: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed name that looks most like ``name``, or None when nothing is close."""
    by_lower = {candidate.lower(): candidate for candidate in allowed}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def describe_unknown(kind: str, name: str, allowed: Iterable[str]) -> str:
    """Return the standard sentence for an unknown name: the nearest one, then all that are allowed."""
    names = sorted(set(allowed))
    nearest = nearest_name(name, names)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    return f"unknown {kind} '{name}'.{hint} Allowed: {', '.join(names) or '(none)'}."
