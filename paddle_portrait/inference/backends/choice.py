"""Which back end an exported model gets: the one that was asked for, or the quickest that is here."""

from __future__ import annotations

from pathlib import Path

from paddle_portrait.inference.backends import candidates, check_backend
from paddle_portrait.inference.backends.contest import quickest
from paddle_portrait.inference.deploy_file import DeployFile

AUTO = "auto"


def choose_backend(wanted: str, directory: Path, deploy: DeployFile, threads: int | None) -> str:
    """Return the name of the back end to load.

    ``"auto"`` never takes a coarser precision than the finest that runs here. Among back ends of that precision it
    takes the quickest; where there are several, they are timed once on this machine (:mod:`.contest`).

    Args:
        wanted: the name of a target that the export holds, or ``"auto"``.
        directory: the exported directory.
        deploy: its contents.
        threads: threads of one call; None leaves it to the runtime.

    Raises:
        UserError: the name is unknown, the export does not hold it, or its package is not installed.
    """
    if wanted != AUTO:
        return check_backend(wanted, deploy.targets)
    names = candidates(deploy.targets)
    return names[0] if len(names) == 1 else quickest(names, directory, deploy, threads)
