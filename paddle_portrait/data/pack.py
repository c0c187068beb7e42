"""A file of checksummed records that several processes read and add to, bounded in size.

A record is a head (key, length and checksum of the payload, checksum of the head) and the payload. Records are only
ever added at the end, under a lock; what is damaged is found by its checksum and left out, never handed on.
"""

from __future__ import annotations

import os
import struct
import threading
import weakref
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock, Timeout

from paddle_portrait.console import logger

_MAGIC = b"portrait pack 1\n"
_HEAD = struct.Struct("<32sQII")
_CHECK = struct.Struct("<I")
_LOCK_TIMEOUT_S = 60.0
_LOCK_POLL_S = 0.005
# A pack this full, of which less than this share is still asked for, is started anew.
_NEARLY_FULL, _WORTH_KEEPING = 0.75, 0.5


@dataclass(frozen=True)
class _Place:
    offset: int
    length: int
    checksum: int


class Pack:
    """Records under keys of 32 bytes.

    Args:
        path: the file; it and its folder are made where they are missing.
        limit: bytes that the file may have.
        wanted: returns all keys that may be asked for; called when the file is nearly full, to see whether what
            fills it is still of use.

    Raises:
        OSError: the file cannot be opened, locked or written.
    """

    def __init__(self, path: Path, limit: int, wanted: Callable[[], Collection[bytes]]) -> None:
        self.path, self._limit = path, limit
        self._places: dict[bytes, _Place] = {}
        self._end = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._threads = threading.Lock()
        self._processes = FileLock(f"{path}.lock", timeout=_LOCK_TIMEOUT_S)
        with self._alone():
            self._open()
            if self._is_full_of_others(wanted):
                logger.info("%s: full of samples that are asked for no more; it is started anew", path)
                self._close()
                path.unlink()  # processes that have it open keep their copy
                self._open()

    def get(self, key: bytes) -> np.ndarray | None:
        """Return the payload, uint8, or None where there is none or it is damaged (said in the log)."""
        with self._threads:
            if key not in self._places:
                self._see_what_others_added()
            place = self._places.get(key)
            if place is None:
                return None
            payload = self._read(place)
            if payload is None:
                logger.warning(
                    "%s: the record at byte %d is damaged; its photo is decoded anew", self.path, place.offset
                )
                del self._places[key]
            return payload

    def put(self, key: bytes, parts: Sequence[np.ndarray]) -> None:
        """Add a record of the bytes of contiguous arrays, where there is room and none of that key yet."""
        length, checksum = 0, 0
        for part in parts:
            length, checksum = length + part.nbytes, zlib.crc32(part.data, checksum)
        with self._threads:
            if self._end + _HEAD.size + length > self._limit:
                return
            try:
                with self._alone():
                    self._scan()
                    if key not in self._places and self._end + _HEAD.size + length <= self._limit:
                        self._append(_head(key, length, checksum), parts)
                        self._places[key] = _Place(self._end + _HEAD.size, length, checksum)
                        self._end += _HEAD.size + length
            except OSError as error:
                logger.warning("%s: no more samples are added, for it cannot be written (%s)", self.path, error)
                self._limit = 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self._processes.acquire(poll_interval=_LOCK_POLL_S)
        except Timeout:
            raise OSError(f"another process has held its lock for {_LOCK_TIMEOUT_S:.0f} s") from None
        except NotImplementedError as error:
            raise OSError(f"its file system has no locks: {error}") from error
        try:
            yield
        finally:
            self._processes.release()

    def _open(self) -> None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        self._file: BinaryIO = os.fdopen(descriptor, "r+b", buffering=0)
        self._close = weakref.finalize(self, self._file.close)
        self._scan()

    def _is_full_of_others(self, wanted: Callable[[], Collection[bytes]]) -> bool:
        if self._end < _NEARLY_FULL * self._limit:
            return False
        used = sum(self._places[key].length for key in set(wanted()) if key in self._places)
        return used < _WORTH_KEEPING * self._end or self._end > self._limit

    def _see_what_others_added(self) -> None:
        if os.fstat(self._file.fileno()).st_size == self._end:
            return
        try:
            with self._alone():
                self._scan()
        except OSError as error:
            logger.warning("%s: what other processes added is not seen (%s)", self.path, error)

    def _scan(self) -> None:
        """Take note of all records behind the last known one; cut off what is damaged at the end."""
        size = self._file.seek(0, os.SEEK_END)
        if self._end == 0 or size < self._end or not self._follow(size):
            # New here, or another process has cut off a damaged end meanwhile: what was known may be gone.
            self._places.clear()
            size = self._begin(size)
            if not self._follow(size):
                logger.warning(
                    "%s: damaged or cut short from byte %d of %d on; the %d samples before are kept, those behind "
                    "are decoded anew",
                    *(self.path, self._end, size, len(self._places)),
                )
                self._file.truncate(self._end)

    def _follow(self, size: int) -> bool:
        """Go from record to record up to ``size``; return whether all heads on the way are sound."""
        while self._end < size:
            self._file.seek(self._end)
            found = _parse(self._file.read(_HEAD.size))
            if found is None or self._end + _HEAD.size + found[1] > size:
                return False
            key, length, checksum = found
            self._places[key] = _Place(self._end + _HEAD.size, length, checksum)
            self._end += _HEAD.size + length
        return True

    def _begin(self, size: int) -> int:
        """Look at the mark at the start, write it where it lacks; return the size of the file."""
        self._file.seek(0)
        if size and self._file.read(len(_MAGIC)) != _MAGIC:
            logger.warning("%s: this is no pack of samples, or its start is damaged; it is started anew", self.path)
            self._file.truncate(0)
            size = 0
        if not size:
            self._file.seek(0)
            self._file.write(_MAGIC)
        self._end = len(_MAGIC)
        return max(size, self._end)

    def _read(self, place: _Place) -> np.ndarray | None:
        payload = np.empty(place.length, np.uint8)
        try:
            self._file.seek(place.offset)
            count = self._file.readinto(payload)  # type: ignore[attr-defined]
        except OSError:
            return None
        return payload if count == place.length and zlib.crc32(payload.data) == place.checksum else None

    def _append(self, head: bytes, parts: Sequence[np.ndarray]) -> None:
        try:
            self._file.seek(self._end)
            for part in (memoryview(head), *(part.data for part in parts)):
                _write_all(self._file, part.cast("B"))
        except OSError:
            self._file.truncate(self._end)
            raise


def _write_all(file: BinaryIO, data: memoryview) -> None:
    while data.nbytes:  # an unbuffered write may take a part only
        data = data[file.write(data) :]


def _head(key: bytes, length: int, checksum: int) -> bytes:
    fields = struct.pack("<32sQI", key, length, checksum)
    return fields + _CHECK.pack(zlib.crc32(fields))


def _parse(head: bytes) -> tuple[bytes, int, int] | None:
    if len(head) < _HEAD.size:
        return None
    key, length, checksum, own = _HEAD.unpack(head)
    return (key, length, checksum) if zlib.crc32(head[: -_CHECK.size]) == own else None
