"""An exported directory appears whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paddle_portrait.errors import UserError
from paddle_portrait.export.errors import ExportError
from paddle_portrait.export.parity import PARITY_FILE
from paddle_portrait.inference.deploy_file import DEPLOY_FILE, DeployFile


@contextmanager
def staging(save_dir: Path) -> Iterator[Path]:
    """Give an empty directory beside ``save_dir``; what is left of it afterwards is removed.

    Raises:
        ExportError: the place cannot be written to, the disk is full, or ``save_dir`` is a file.
    """
    if save_dir.exists() and not save_dir.is_dir():
        raise ExportError(f"--save_dir '{save_dir}' is a file; name a directory.")
    directory = save_dir.resolve().parent / f".{save_dir.name}.export-{os.getpid()}"
    try:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        yield directory
    except OSError as error:
        raise ExportError(f"cannot write the export beside '{save_dir}': {error}.") from error
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def publish(finished: Path, save_dir: Path) -> None:
    """Move a finished export to ``save_dir``, over an earlier export; other files there stay.

    ``deploy.yaml``, without which a directory is no export, leaves first and arrives last.
    """
    if not save_dir.exists():
        os.replace(finished, save_dir)
        return
    _remove_earlier_export(save_dir)
    entries = sorted(finished.iterdir(), key=lambda entry: entry.name == DEPLOY_FILE)
    for entry in entries:
        _remove(save_dir / entry.name)
        os.replace(entry, save_dir / entry.name)


def _remove_earlier_export(save_dir: Path) -> None:
    try:
        earlier = DeployFile.read(save_dir)
    except UserError:
        return  # no export, or none that can be read: only what is written anew is replaced
    _remove(save_dir / DEPLOY_FILE)
    _remove(save_dir / PARITY_FILE)
    for files in earlier.targets.values():
        for name in files.names():
            path = save_dir / name
            if save_dir.resolve() not in path.resolve().parents:
                continue  # a deploy.yaml of unknown making must not reach outside
            _remove(path)
            if path.parent != save_dir and path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
