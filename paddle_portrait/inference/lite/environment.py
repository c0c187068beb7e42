"""Where Paddle Lite's environment is."""

from __future__ import annotations

import os
from pathlib import Path

from paddle_portrait.errors import UserError

INSTALL = "make lite-env"
PYTHON_VARIABLE = "PADDLE_LITE_PYTHON"

_MADE_HERE = Path(__file__).resolve().parents[3] / ".venv-lite/bin/python"


def find_python() -> Path | None:
    """Return the interpreter of Paddle Lite's environment; None where there is none.

    ``PADDLE_LITE_PYTHON`` names another one than that of ``make lite-env``.
    """
    named = os.environ.get(PYTHON_VARIABLE)
    python = Path(named) if named else _MADE_HERE
    return python if os.access(python, os.X_OK) and python.is_file() else None


def require_python(purpose: str) -> Path:
    """Return the interpreter of Paddle Lite's environment.

    Args:
        purpose: what needs it, for the message.

    Raises:
        UserError: there is none.
    """
    python = find_python()
    if python is None:
        named = os.environ.get(PYTHON_VARIABLE)
        looked = f"{PYTHON_VARIABLE} names '{named}', which is no interpreter" if named else "it has not been made yet"
        raise UserError(
            f"{purpose} needs Paddle Lite's own environment: {looked}. Make it with: {INSTALL} (it takes a Python "
            f"3.10 or 3.8), or let {PYTHON_VARIABLE} name the python of an environment with paddlelite and numpy < 2."
        )
    return python
