"""What a person sees in the terminal: the log, progress bars, and errors without tracebacks."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from paddle_portrait.errors import UserError

logger = logging.getLogger("paddle_portrait")

_LOG_FORMAT = "%(asctime)s [%(levelname)s] %(message)s"
_Item = TypeVar("_Item")


class _StderrHandler(logging.StreamHandler):
    """Writes to what ``sys.stderr`` is at that moment: a notebook or a test may have replaced it since."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self.stream = sys.stderr
        super().emit(record)


def setup_logging(log_file: str | Path | None = None, level: int = logging.INFO) -> None:
    """Send the package's log to stderr and, when given, to ``log_file`` (appended, UTF-8).

    Calling it again replaces what an earlier call set up.
    """
    logger.setLevel(level)
    logger.propagate = False
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    handlers: list[logging.Handler] = [_StderrHandler()]
    if log_file is not None:
        Path(log_file).parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(log_file, encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(logging.Formatter(_LOG_FORMAT, datefmt="%Y-%m-%d %H:%M:%S"))
        logger.addHandler(handler)


def track(items: Iterable[_Item], description: str, total: int | None = None, unit: str = "it") -> Iterator[_Item]:
    """Yield ``items`` under a progress bar with rate and time left; silent where stderr is no terminal."""
    from tqdm import tqdm

    yield from tqdm(items, desc=description, total=total, unit=unit, file=sys.stderr, disable=None, dynamic_ncols=True)


def run_command(main: Callable[[], int | None]) -> int:
    """Run a command line's ``main`` and turn its outcome into an exit code.

    0 on success; 2 for a :class:`UserError`, whose message goes to stderr without a traceback;
    130 for Ctrl-C. Any other exception is a fault of ours and keeps its traceback.
    """
    if not logger.handlers:
        setup_logging()
    # Importing Paddle warns that a compiler cache is missing, which matters to nobody here.
    warnings.filterwarnings("ignore", message=".*ccache.*")
    try:
        return int(main() or 0)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
