"""Decoded samples on disk, for later runs and for all processes of this one."""

from __future__ import annotations

import hashlib
import json
import math
import os
import pickle
import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL

import paddle_portrait
from paddle_portrait.cache import cache_directory
from paddle_portrait.data.pack import Pack
from paddle_portrait.data.sample import Sample
from paddle_portrait.errors import UserError

_HEAD_LENGTH = 256  # of a record: its arrays' types and shapes, in JSON
_ARRAYS = ("label", "prior", "image")  # the widest type first, so that all are aligned


class DiskCache:
    """Samples in a :class:`Pack`, found by all that their pixels depend on.

    A key is the digest of the files' names, sizes and times, and of how they are decoded: what was made of other
    files or with other settings is never found.

    Args:
        name: the list file or data set; each has a pack of its own for each ``decoding``.
        files: (photo, mask or None) of each sample.
        decoding: what the pixels depend on beside the files; must be made of what ``pickle`` can write.
        limit_mb: largest size of the pack, in MiB.
        folder: where packs lie; None: in the user's cache.

    Raises:
        UserError: a transform holds what ``pickle`` cannot write, the folder cannot be written, or its disk has no
            room.
    """

    def __init__(
        self,
        name: str,
        files: Sequence[tuple[str, str | None]],
        decoding: Sequence[Any],
        limit_mb: float,
        folder: str | None,
    ) -> None:
        kept, versions = _digestible(decoding), (paddle_portrait.__version__, cv2.__version__, PIL.__version__)
        self._files, self._decoding = files, repr(versions).encode() + kept
        directory = Path(folder).expanduser() if folder else cache_directory() / "samples"
        # Without the versions: what an older one left is thrown away for its successor's sake, not kept beside it.
        digest = hashlib.sha256(os.path.abspath(name).encode() + b"\n" + kept).hexdigest()
        path = directory / f"{digest[:16]}.pack"
        limit = int(limit_mb * 2**20)
        try:
            self._pack = Pack(path, limit, self._keys)
            free = shutil.disk_usage(directory).free
            held = path.stat().st_size
        except OSError as error:
            raise UserError(
                f"data set: the cache {path} cannot be used ({error.strerror or error}). Name a folder that can be "
                "written with disk_cache_dir, or leave disk_cache_mb out."
            ) from error
        if free + held < limit:
            raise UserError(
                f"data set: disk_cache_mb is {limit_mb:g}, but the disk of {directory} has room for "
                f"{(free + held) >> 20} MiB. Lower disk_cache_mb, or name a folder elsewhere with disk_cache_dir."
            )

    def get(self, index: int, make: Callable[[], Sample]) -> Sample:
        """Return the kept sample, or make it and keep it where there is room."""
        key = self._key(index)
        record = None if key is None else self._pack.get(key)
        if record is not None:
            path, label_path = self._files[index]
            arrays = _decode(record)
            return Sample(arrays["image"], arrays.get("label"), path, label_path or "", index, arrays.get("prior"))
        sample = make()
        if key is not None:
            self._pack.put(key, _encode(sample))
        return sample

    def _key(self, index: int) -> bytes | None:
        """Return None where a file is missing: reading it will say so."""
        digest = hashlib.sha256(self._decoding)
        for name in self._files[index]:
            if name is not None:
                try:
                    found = os.stat(name)
                except OSError:
                    return None
                digest.update(f"{os.path.abspath(name)}\n{found.st_size} {found.st_mtime_ns}\n".encode())
        return digest.digest()

    def _keys(self) -> Collection[bytes]:
        return {key for key in map(self._key, range(len(self._files))) if key is not None}


def check_settings(limit_mb: float, folder: str | None) -> None:
    """Raise a UserError unless the arguments make sense together."""
    if not 0 <= limit_mb < math.inf:
        raise UserError(f"data set: disk_cache_mb must be 0 or more, got {limit_mb}.")
    if folder is not None and not limit_mb:
        raise UserError(f"data set: disk_cache_dir is '{folder}', but disk_cache_mb, the room there, is 0.")


def _digestible(decoding: Sequence[Any]) -> bytes:
    try:
        return pickle.dumps(decoding, protocol=4)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UserError(
            f"data set: disk_cache_mb: a transform cannot be told from others in the cache ({error}). Put it behind "
            "the first random transform, or leave disk_cache_mb out."
        ) from error


def _encode(sample: Sample) -> list[np.ndarray]:
    named = {name: getattr(sample, name) for name in _ARRAYS}
    arrays = {name: np.ascontiguousarray(array) for name, array in named.items() if array is not None}
    head = json.dumps({name: (array.dtype.str, array.shape) for name, array in arrays.items()})
    return [np.frombuffer(head.ljust(_HEAD_LENGTH).encode(), np.uint8), *arrays.values()]


def _decode(record: np.ndarray) -> dict[str, np.ndarray]:
    arrays, start = {}, _HEAD_LENGTH
    for name, (kind, shape) in json.loads(record[:_HEAD_LENGTH].tobytes()).items():
        stop = start + math.prod(shape) * np.dtype(kind).itemsize
        arrays[name], start = record[start:stop].view(kind).reshape(shape), stop
    return arrays
