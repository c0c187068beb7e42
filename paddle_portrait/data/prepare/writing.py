"""Files that are either as they were or complete: written beside and renamed."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from paddle_portrait.errors import UserError

PART = ".part"


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that an interruption leaves no half of it under its name.

    Raises:
        UserError: the place cannot be written.
    """
    part = path.with_name(path.name + PART)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        raise UserError(f"{path}: the file cannot be written ({error.strerror}).") from error


def write_if_other(path: Path, text: str) -> bool:
    """Write a text file unless it holds exactly this text; return whether it was written."""
    content = text.encode("utf-8")
    if path.is_file() and path.read_bytes() == content:
        return False
    write_bytes(path, content)
    return True


def link_or_write(path: Path, origin: Path | None, content: bytes) -> None:
    """Make ``path`` a symbolic link to ``origin``, or write ``content`` where there is no origin.

    Raises:
        UserError: the system refuses links.
    """
    if origin is None:
        write_bytes(path, content)
        return
    part = path.with_name(path.name + PART)
    path.parent.mkdir(parents=True, exist_ok=True)
    part.unlink(missing_ok=True)
    try:
        part.symlink_to(origin.resolve())
        os.replace(part, path)
    except OSError as error:
        raise UserError(f"{path}: no link can be made here ({error.strerror}); leave --link out.") from error


def encode_png(mask: np.ndarray) -> bytes:
    """Return a uint8 H×W mask as the content of a PNG file."""
    return cv2.imencode(".png", mask)[1].tobytes()


def encode_jpeg(image: np.ndarray) -> bytes:
    """Return a uint8 H×W×3 RGB picture as the content of a JPEG file of quality 95."""
    return cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def remove_parts(folder: Path) -> None:
    """Remove what an interrupted run left half written."""
    for path in folder.rglob(f"*{PART}"):
        path.unlink(missing_ok=True)
