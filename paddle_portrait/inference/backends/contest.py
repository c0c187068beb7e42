"""A contest of back ends: each runs the same network in turn, and the quickest is remembered for this machine.

It is held in a process of its own, so that the runtimes that lose are gone from memory afterwards, and one that
ends its process ends that one only.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from paddle_portrait.cache import cache_directory, processor
from paddle_portrait.console import logger
from paddle_portrait.inference.backends import RUNTIMES
from paddle_portrait.inference.deploy_file import DeployFile
from paddle_portrait.zoo.download import sha256_of

_TIMEOUT_S = 120
_RULES = 2  # of the contest; figures that were taken by other rules are not looked at


def quickest(names: Sequence[str], directory: Path, deploy: DeployFile, threads: int | None) -> str:
    """Return the quickest of several back ends for an exported model on this machine.

    They are timed the first time that this model, these versions, this processor and this number of threads meet;
    the figures are kept in the user's cache. Processes that start at once wait for each other, since they would
    disturb each other's figures.

    Args:
        names: two or more installed back ends that the export holds, the one to take without figures first.
        directory: the exported directory.
        deploy: its contents.
        threads: threads of one call.
    """
    from filelock import FileLock, Timeout

    file = cache_directory() / "backends" / f"{_key(names, directory, deploy, threads)}.json"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.parent / "contest.lock", timeout=_TIMEOUT_S):
            figures = _read(file, names)
            known = figures is not None
            if figures is None:
                figures = hold(names, directory, threads)
                _write(file, figures)
    except (OSError, NotImplementedError, Timeout) as error:  # no place to write, or no locks there
        logger.warning("back ends are timed at every start: the cache %s cannot be used (%s)", file.parent, error)
        known, figures = False, hold(names, directory, threads)
    return _winner(names, figures, known)


def hold(names: Sequence[str], directory: Path, threads: int | None) -> dict[str, float]:
    """Time back ends in a process of their own; return milliseconds by name, without those that failed."""
    contestants = list(names)
    while contestants:
        with tempfile.TemporaryDirectory(prefix="contest-") as scratch:
            events = Path(scratch) / "events"
            reason = _run_child(contestants, directory, threads, events)
            lines = events.read_text(encoding="utf-8").splitlines() if events.is_file() else []
        figures = _figures(lines)
        if figures is not None:  # all were timed, even if a runtime broke while the process ended
            logger.debug("the contest's process %s", reason or "ended well")
            return figures
        on = next((line for line in reversed(lines) if line in contestants), None)
        if on is None:
            logger.warning("back ends cannot be timed: %s", reason)
            return {}
        logger.warning("back end %s is left out: it %s", on, reason)
        contestants.remove(on)
    return {}


def _figures(lines: Sequence[str]) -> dict[str, float] | None:
    """Return what the child wrote at last, if it came that far."""
    try:
        figures = json.loads(lines[-1])
    except (IndexError, ValueError):
        return None
    return figures if isinstance(figures, dict) else None


def _run_child(names: Sequence[str], directory: Path, threads: int | None, events: Path) -> str | None:
    """Return why the process of the contest did not end well, or None."""
    root = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "paddle_portrait.inference.backends.contest_child"]
    command += [str(directory.resolve()), str(threads or 0), str(events), *names]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return f"did not end within {_TIMEOUT_S} s"
    except OSError as error:
        return f"cannot be started: {error}"
    if done.returncode == 0:
        return None
    last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    return f"ended its process with code {done.returncode}: {last}"


def _winner(names: Sequence[str], figures: Mapping[str, float], known: bool) -> str:
    if not figures:
        return names[0]
    order = sorted(figures, key=lambda name: figures[name])
    table = ", ".join(f"{name} {figures[name]:.1f} ms" for name in order)
    logger.info("back end %s, the quickest here (%s; %s)", order[0], table, "timed before" if known else "timed now")
    return order[0]


def _key(names: Sequence[str], directory: Path, deploy: DeployFile, threads: int | None) -> str:
    """Return the digest of all that the figures depend on."""
    content = {
        "rules": _RULES,
        "threads": threads,
        "cpu": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "input": deploy.input_shape,
        "contestants": {
            name: [RUNTIMES[name].version(), *(_sum(directory, deploy, name, file) for file in files)]
            for name, files in ((name, deploy.targets[name].names()) for name in sorted(names))
        },
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _sum(directory: Path, deploy: DeployFile, target: str, file: str) -> str:
    recorded = deploy.targets[target].sha256.get(file)
    if recorded:
        return recorded
    path = directory / file
    return sha256_of(path) if path.is_file() else "missing"  # which is reported when it is loaded


def _read(file: Path, names: Sequence[str]) -> dict[str, float] | None:
    """Return the figures of an earlier contest; None where there are none, or none that make sense."""
    try:
        figures = json.loads(file.read_text(encoding="utf-8"))["ms"]
        good = bool(figures) and all(name in names and float(ms) > 0 for name, ms in figures.items())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        good = False
    if not good:
        logger.warning("'%s' is damaged; timing the back ends anew", file)
        return None
    return {name: float(ms) for name, ms in figures.items()}


def _write(file: Path, figures: Mapping[str, float]) -> None:
    if not figures:
        return  # what went wrong may be mended by the next start
    staging = file.with_suffix(".tmp")
    staging.write_text(json.dumps({"ms": figures}) + "\n", encoding="utf-8")
    os.replace(staging, file)
