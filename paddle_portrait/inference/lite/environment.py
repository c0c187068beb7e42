"""Where Paddle Lite's environment is."""

from __future__ import annotations

from pathlib import Path

from paddle_portrait.environments import SideEnvironment

INSTALL = "make lite-env"
PYTHON_VARIABLE = "PADDLE_LITE_PYTHON"

_LITE = SideEnvironment(
    owner="Paddle Lite",
    folder=".venv-lite",
    variable=PYTHON_VARIABLE,
    install=INSTALL,
    pythons="3.10 or 3.8",
    holds="paddlelite and numpy < 2",
)


def find_python() -> Path | None:
    """Return the interpreter of Paddle Lite's environment; None where there is none.

    ``PADDLE_LITE_PYTHON`` names another one than that of ``make lite-env``.
    """
    return _LITE.find()


def require_python(purpose: str) -> Path:
    """Return the interpreter of Paddle Lite's environment.

    Args:
        purpose: what needs it, for the message.

    Raises:
        UserError: there is none.
    """
    return _LITE.require(purpose)
