"""What a training's folder holds, found by names alone: no checkpoint is opened, and Paddle is not needed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from paddle_portrait.engine.history import read_history
from paddle_portrait.errors import UserError

AUTO = "auto"
HISTORY_FILE = "history.jsonl"
BEST_NAME = "best_model"
MANIFEST_FILE = "manifest.json"

_ITERATION_NAME = re.compile(r"iter_(\d+)")


def iteration_directories(folder: Path) -> list[Path]:
    """Return the checkpoints ``iter_N`` in ``folder``, the oldest first."""
    numbered = [(int(match.group(1)), path) for path in folder.iterdir() if (match := _number_of(path))]
    return [path for _, path in sorted(numbered)]


def _number_of(path: Path) -> re.Match[str] | None:
    return _ITERATION_NAME.fullmatch(path.name) if path.is_dir() else None


def checkpoint_names(folder: Path) -> list[str]:
    """Return the names of the checkpoints in ``folder``, the best model's last."""
    if not folder.is_dir():
        return []
    best = [BEST_NAME] if (folder / BEST_NAME).is_dir() else []
    return [path.name for path in iteration_directories(folder)] + best


def check_folder(save_dir: Path, resume: str | None, stages: Iterable[str] = ()) -> None:
    """Check, before anything is read or written, that a training can begin or go on in a folder.

    Args:
        save_dir: the training's folder.
        resume: the checkpoint to go on from, ``auto`` for the newest, or nothing.
        stages: names of its stages, each with a folder of its own in ``save_dir``.

    Raises:
        UserError: it is a file, it holds another training, or there is no such checkpoint.
    """
    if save_dir.exists() and not save_dir.is_dir():
        raise UserError(f"--save_dir {save_dir} is a file. Name a folder; nothing was deleted.")
    if not resume:
        refuse_earlier_run(save_dir, stages)
    elif resume != AUTO:
        require_checkpoint(Path(resume))


def refuse_earlier_run(save_dir: Path, stages: Iterable[str] = ()) -> None:
    """Refuse to begin a training where an earlier one would be overwritten, and the two be mixed.

    Args:
        save_dir: the new training's folder.
        stages: names of its stages, each with a folder of its own in ``save_dir``.

    Raises:
        UserError: there are checkpoints or a record of steps; it says what is there, and the ways out.
    """
    for folder in (save_dir, *(save_dir / name for name in stages)):
        names = checkpoint_names(folder)
        reached = [int(row["iteration"]) for row in read_history(folder / HISTORY_FILE)]
        if not names and not reached:
            continue
        reached += [int(match.group(1)) for name in names if (match := _ITERATION_NAME.fullmatch(name))]
        last = f", up to iteration {max(reached)}" if reached else ""
        found = [*([HISTORY_FILE] if (folder / HISTORY_FILE).is_file() else []), *names]
        raise UserError(
            f"'{folder}' already holds a training{last} ({_shortened(found)}), which a new one would overwrite. "
            f"Nothing was written. Go on with it by --resume_model auto, name another folder by --save_dir, or delete "
            f"'{save_dir}' to begin anew."
        )


def require_checkpoint(directory: Path) -> None:
    """Refuse to resume from a folder that is no checkpoint, before data are looked at.

    Whether a checkpoint is whole is found when it is read.

    Raises:
        UserError: it names the checkpoints beside the one that was meant, or above them, or in it.
    """
    if (directory / MANIFEST_FILE).is_file():
        return
    lack = f"it has no {MANIFEST_FILE}" if directory.is_dir() else "there is no such folder"
    near = (directory, directory.parent, directory.parent.parent)
    holder = next((folder for folder in near if checkpoint_names(folder)), None)
    there = f" '{holder}' holds {_shortened(checkpoint_names(holder))}: name one of these." if holder else ""
    raise UserError(
        f"no checkpoint at '{directory}': {lack}.{there} Or give --resume_model auto, which takes the newest good one "
        "in --save_dir, and starts afresh where there is none."
    )


def _shortened(names: list[str]) -> str:
    return ", ".join(names if len(names) <= 6 else [*names[:2], "…", *names[-3:]])
