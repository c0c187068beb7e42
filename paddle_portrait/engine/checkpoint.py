"""Checkpoints: directories that are whole or absent, and are checked before they are believed.

A checkpoint is written beside its place and renamed into it. Its manifest holds the sha256 sum of every
file, so that damage is found on loading. Nothing in it is executed: arrays are plain ``.npz``, the rest is
JSON, and ``model.pdparams`` (readable by PaddleSeg) is read by a reader that admits arrays only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from paddle_portrait.console import logger
from paddle_portrait.engine.run_folder import BEST_NAME, MANIFEST_FILE, iteration_directories
from paddle_portrait.errors import UserError
from paddle_portrait.models.channels import CHANNELS_FILE, Widths, read_widths, write_widths
from paddle_portrait.models.weights import LoadReport, load_weights, read_weights

__all__ = [
    "BEST_NAME",
    "Checkpoint",
    "CheckpointError",
    "LoadReport",
    "find_last_good",
    "load_checkpoint",
    "load_weights",
    "prune_checkpoints",
    "save_checkpoint",
    "verify_checkpoint",
]

WEIGHTS_FILE = "model.pdparams"
ARRAYS_FILE = "training_state.npz"
STATE_FILE = "training_state.json"

_FORMAT_VERSION = 1


class CheckpointError(UserError):
    """A checkpoint that is missing, half-written, damaged or of another make."""


@dataclass(frozen=True)
class Checkpoint:
    """Everything that decides the next step.

    Attributes:
        weights: the weights to judge and deploy, by PaddleSeg's names.
        arrays: optimizer slots, raw weights under an average, and hooks' arrays.
        state: JSON-able: iteration, scores, hooks' states, environment.
        widths: channels of the layers of a pruned network.
    """

    weights: Mapping[str, np.ndarray]
    arrays: Mapping[str, np.ndarray]
    state: dict[str, Any]
    widths: Widths = field(default_factory=dict)


def save_checkpoint(directory: str | Path, checkpoint: Checkpoint) -> None:
    """Write ``checkpoint`` as ``directory``, replacing what stood there; killed midway, the old one stands.

    Raises:
        CheckpointError: the disk is full, the folder read-only or a file in the way.
    """
    directory = Path(directory)
    staging = directory.with_name(f".{directory.name}.tmp-{os.getpid()}")
    try:
        if directory.exists() and not directory.is_dir():
            raise NotADirectoryError(f"'{directory}' is a file")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        _write_files(staging, checkpoint)
        _replace_directory(staging, directory)
    except OSError as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise CheckpointError(
            f"cannot save the checkpoint '{directory}': {error}. The run stops here, so that no progress is lost in "
            "silence; free the disk or mend the folder, then resume with --resume_model auto."
        ) from error


def _write_files(directory: Path, checkpoint: Checkpoint) -> None:
    weights = {name: paddle.to_tensor(np.ascontiguousarray(array)) for name, array in checkpoint.weights.items()}
    paddle.save(weights, str(directory / WEIGHTS_FILE))
    with (directory / ARRAYS_FILE).open("wb") as file:
        np.savez(file, **checkpoint.arrays)  # type: ignore[arg-type]
    (directory / STATE_FILE).write_text(json.dumps(checkpoint.state, indent=1), encoding="utf-8")
    if checkpoint.widths:
        write_widths(checkpoint.widths, directory)
    files = sorted(path.name for path in directory.iterdir())
    manifest = {"version": _FORMAT_VERSION, "files": {name: _file_entry(directory / name) for name in files}}
    (directory / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    for path in directory.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def _file_entry(path: Path) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}


def _replace_directory(staging: Path, directory: Path) -> None:
    # No system renames over a directory that holds files, so the old one steps aside for a moment;
    # _restore_set_aside() puts it back when the process died in that moment.
    aside = directory.with_name(f".{directory.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if directory.exists():
        os.replace(directory, aside)
    os.replace(staging, directory)
    shutil.rmtree(aside, ignore_errors=True)


def _restore_set_aside(save_dir: Path) -> None:
    for aside in save_dir.glob(".*.old"):
        original = aside.with_name(aside.name[1 : -len(".old")])
        if not original.exists():
            os.replace(aside, original)


def verify_checkpoint(directory: str | Path) -> None:
    """Check that every file of the checkpoint is there and as it was written.

    Raises:
        CheckpointError: naming the first file that is not.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise CheckpointError(f"no checkpoint at '{directory}': it is no directory.")
    try:
        manifest = json.loads((directory / MANIFEST_FILE).read_text(encoding="utf-8"))
        version, files = manifest["version"], dict(manifest["files"])
    except FileNotFoundError:
        raise CheckpointError(f"'{directory}' has no {MANIFEST_FILE}: half-written, or not a checkpoint.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"the {MANIFEST_FILE} of checkpoint '{directory}' is damaged: {error}.") from None
    if version != _FORMAT_VERSION:
        raise CheckpointError(
            f"checkpoint '{directory}' has format version {version}; this release reads {_FORMAT_VERSION}."
        )
    has_widths = CHANNELS_FILE in files or (directory / CHANNELS_FILE).exists()  # of a pruned network
    for name in (WEIGHTS_FILE, ARRAYS_FILE, STATE_FILE, *([CHANNELS_FILE] if has_widths else [])):
        path = directory / name
        if not path.is_file():
            raise CheckpointError(f"checkpoint '{directory}' lacks its file {name}.")
        if name not in files or _file_entry(path) != files[name]:
            raise CheckpointError(f"{name} of checkpoint '{directory}' is damaged: its sha256 sum differs.")


def load_checkpoint(directory: str | Path) -> Checkpoint:
    """Verify and read a checkpoint.

    Raises:
        CheckpointError: it is missing or damaged; the message names the last good one beside it, if there is one.
    """
    directory = Path(directory)
    try:
        verify_checkpoint(directory)
    except CheckpointError as error:
        good = find_last_good(directory.parent)
        offer = f" The last good checkpoint there is '{good}'." if good else ""
        raise CheckpointError(f"{error}{offer}") from None
    return Checkpoint(
        weights=read_weights(directory / WEIGHTS_FILE),
        arrays=_read_arrays(directory / ARRAYS_FILE),
        state=json.loads((directory / STATE_FILE).read_text(encoding="utf-8")),
        widths=read_widths(directory),
    )


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except ValueError as error:  # an object array: only unpickling could read it
        raise CheckpointError(f"refused '{path}': it holds more than plain arrays ({error}).") from None


def find_last_good(save_dir: str | Path) -> Path | None:
    """Return the newest undamaged ``iter_N`` below ``save_dir``, or None; damaged ones are named in the log."""
    save_dir = Path(save_dir)
    if not save_dir.is_dir():
        return None
    _restore_set_aside(save_dir)
    for directory in reversed(iteration_directories(save_dir)):
        try:
            verify_checkpoint(directory)
            return directory
        except CheckpointError as error:
            logger.warning("passed over a checkpoint: %s", error)
    return None


def prune_checkpoints(save_dir: str | Path, keep: int) -> None:
    """Delete the oldest ``iter_N`` below ``save_dir`` until ``keep`` are left. A failure is logged, not fatal."""
    for directory in iteration_directories(Path(save_dir))[: -keep or None]:
        try:
            shutil.rmtree(directory)
        except OSError as error:
            logger.warning("could not delete the old checkpoint '%s': %s", directory, error)
