"""Environments beside the one that this runs in: for packages that need another Python or other versions."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from paddle_portrait.errors import UserError

_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class SideEnvironment:
    """A virtual environment that a command makes at the top of the repository.

    Attributes:
        owner: whose it is, for messages.
        folder: its name.
        variable: environment variable that names the interpreter of another one.
        install: the command that makes it.
        pythons: which Python that takes.
        holds: what another one must have.
    """

    owner: str
    folder: str
    variable: str
    install: str
    pythons: str
    holds: str

    def find(self) -> Path | None:
        """Return the interpreter; None where there is none."""
        named = os.environ.get(self.variable)
        python = Path(named) if named else _ROOT / self.folder / "bin" / "python"
        return python if os.access(python, os.X_OK) and python.is_file() else None

    def require(self, purpose: str, error: type[UserError] = UserError) -> Path:
        """Return the interpreter.

        Args:
            purpose: what needs it, for the message.
            error: what to raise where there is none.
        """
        python = self.find()
        if python is None:
            named = os.environ.get(self.variable)
            looked = (
                f"{self.variable} names '{named}', which is no interpreter" if named else "it has not been made yet"
            )
            raise error(
                f"{purpose} needs {self.owner}'s own environment: {looked}. Make it with: {self.install} (it takes a "
                f"Python {self.pythons}), or let {self.variable} name the python of an environment with {self.holds}."
            )
        return python
