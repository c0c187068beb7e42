"""Files from the network: fetched with resume, checked by SHA-256; archives that cannot leave their folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from paddle_portrait.console import logger
from paddle_portrait.errors import UserError

_CHUNK = 1 << 18
_ATTEMPTS = 4
_TIMEOUT = (10, 30)  # seconds to connect, seconds between two pieces
_SOURCE_FILE = ".source.json"
# What an archive may hold before it counts as a bomb: so many times its own size, and this much in any case.
_LARGEST_RATIO = 200
_ALWAYS_ALLOWED = 64 << 20


class DownloadError(UserError):
    """A file that could not be fetched, is not the expected one, or cannot be unpacked safely."""


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 lower-case hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def normal_sha256(text: str) -> str:
    """Return a checksum as :func:`sha256_of` writes it; ``sha256:`` in front is accepted.

    Raises:
        UserError: it is not 64 hexadecimal digits.
    """
    digits = text.strip().lower().removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise UserError(f"'{text}' is no SHA-256: 64 hexadecimal digits are expected, as `sha256sum FILE` prints them.")
    return digits


def fetch(url: str, target: str | Path, sha256: str | None, progress: bool = True) -> Path:
    """Fetch ``url`` into the file ``target``; a file there with the right checksum is kept.

    What an interrupted download left (``target`` + ".part") is continued. A connection that breaks or ends early is
    tried again, continuing where it stopped. The file appears under its name only when its checksum is right.

    Args:
        url: http or https.
        target: the file to write; its folder is made.
        sha256: expected checksum; None takes whatever the server sends, and logs its checksum.
        progress: show a progress bar.

    Returns:
        ``target`` as a Path.

    Raises:
        DownloadError: the server refuses, breaks off for good, or sends another file.
    """
    target, expected = Path(target), None if sha256 is None else normal_sha256(sha256)
    if urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(f"'{url}' is no http or https address.")
    if expected is not None and target.is_file() and sha256_of(target) == expected:
        logger.info("%s is here already and has the expected checksum: kept", target)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    if expected is None:
        part.unlink(missing_ok=True)  # nothing would tell whether two halves belong together
    continued = part.exists()
    _fetch_with_retries(url, part, progress)
    found = sha256_of(part)
    if expected is None:
        logger.warning("%s: taken without a known checksum; this file's SHA-256 is %s", url, found)
        expected = found
    if found != expected and continued:
        logger.info("what was continued does not fit together: fetching %s again from its start", url)
        part.unlink()
        _fetch_with_retries(url, part, progress)
        found = sha256_of(part)
    if found != expected:
        part.unlink()
        raise DownloadError(
            f"{url} gave a file with SHA-256 {found}, expected was {expected}. It was deleted: the file was changed, "
            "or the checksum is not the one of this file."
        )
    os.replace(part, target)
    return target


def _fetch_with_retries(url: str, part: Path, progress: bool) -> None:
    import requests

    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _fetch_once(url, part, progress)
            return
        except (requests.RequestException, EOFError) as error:
            logger.info("%s: attempt %d of %d broke off: %s", url, attempt, _ATTEMPTS, error)
            if attempt == _ATTEMPTS:
                raise DownloadError(
                    f"{url} could not be fetched in {_ATTEMPTS} attempts; the last one: {error}. "
                    f"Run the command again to continue: {part} keeps what came so far."
                ) from error
            time.sleep(0.5 * (attempt - 1))


def _fetch_once(url: str, part: Path, progress: bool) -> None:
    """Fetch what is missing of ``part``; EOFError when the server sends less than it announced."""
    import requests

    have = part.stat().st_size if part.exists() else 0
    # A compressed transfer would make byte ranges and lengths mean something else.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as reply:
        _refuse_downgrade(url, reply.url)
        if reply.status_code == 416:  # nothing after what we have: it is complete, or of another file
            return
        if reply.status_code >= 500:
            raise requests.HTTPError(f"HTTP status {reply.status_code}")
        if reply.status_code not in (200, 206):
            raise DownloadError(f"{url} answers with HTTP status {reply.status_code} ({reply.reason}).")
        have = have if _continues(reply, have) else 0
        announced = reply.headers.get("Content-Length")
        # Otherwise the last piece of a broken transfer would be thrown away instead of kept for the next attempt.
        reply.raw.enforce_content_length = False
        total = have + int(announced) if announced else None
        with open(part, "r+b" if have else "wb") as file:
            file.seek(have)
            file.truncate()
            got = have + _copy(reply.iter_content(_CHUNK), file, have, total, part.stem if progress else None)
    if total is not None and got < total:
        raise EOFError(f"it ended after {got} of {total} bytes")


def _continues(reply: Any, have: int) -> bool:
    """Say whether a reply continues at byte ``have``; a server that ignores or misreads the range starts at 0."""
    if reply.status_code != 206:
        return False
    if not reply.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        raise DownloadError(f"{reply.url} sends another part than the one asked for; delete the .part file, try again.")
    return have > 0


def _refuse_downgrade(asked: str, answered: str) -> None:
    if urlsplit(asked).scheme == "https" and urlsplit(answered).scheme != "https":
        raise DownloadError(f"{asked} redirects to {answered}, which is not encrypted: refused.")


def _copy(pieces: Iterator[bytes], file: IO[bytes], have: int, total: int | None, label: str | None) -> int:
    from tqdm import tqdm

    got = 0
    shown = None if label else True  # None: only in a terminal
    with tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=label, disable=shown) as bar:
        for piece in pieces:
            file.write(piece)
            got += len(piece)
            bar.update(len(piece))
    return got


def file_name_of(url: str) -> str:
    """Return the file name at the end of an address, without anything that could lead out of a folder."""
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    return re.sub(r"[^\w.\-]+", "_", name).lstrip(".") or "download"


def fetch_into(url: str, folder: str | Path, sha256: str | None, progress: bool = True) -> bool:
    """Fetch an archive (or a single file) and put what it holds into ``folder``.

    When an archive holds one folder only, that folder's contents are what arrives. A folder that came from the same
    file is kept; without a checksum (see :func:`fetch`), one that came from the same address.

    Returns:
        True when it was fetched, False when it was kept.

    Raises:
        DownloadError: it cannot be fetched or unpacked, or ``folder`` holds something else.
    """
    folder, expected = Path(folder), None if sha256 is None else normal_sha256(sha256)
    source = _source_of(folder)
    if source is not None and (source["sha256"] == expected or (expected is None and source["url"] == url)):
        return False
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DownloadError(f"'{folder}' is there already and holds something else; name another folder, or empty it.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    archive = fetch(url, folder.parent / f".{folder.name}.{file_name_of(url)}", expected, progress)
    with _staging(folder) as staging:
        contents = staging / "contents"
        contents.mkdir()
        if is_archive(archive):
            unpack(archive, contents)
        else:
            shutil.copy(archive, contents / file_name_of(url))
        found = list(contents.iterdir())
        if len(found) == 1 and found[0].is_dir():
            contents = found[0]
        source = {"url": url, "sha256": sha256_of(archive)}
        (contents / _SOURCE_FILE).write_text(json.dumps(source, indent=1) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        os.replace(contents, folder)
    archive.unlink()
    return True


def _source_of(folder: Path) -> dict[str, str] | None:
    try:
        content = json.loads((folder / _SOURCE_FILE).read_text(encoding="utf-8"))
        return {"url": str(content["url"]), "sha256": str(content["sha256"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Give a folder beside ``folder``, on the same disk, that is gone afterwards."""
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def is_archive(path: str | Path) -> bool:
    """Say whether a file is a zip or tar archive, by its contents."""
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def unpack(archive: str | Path, folder: str | Path) -> None:
    """Unpack a zip or tar archive into ``folder``; only plain files and folders that stay inside it.

    Everything is checked before the first byte is written.

    Raises:
        DownloadError: it is no archive, is damaged, is too large for its size, or holds a path that leads outside,
            a link or a device.
    """
    archive, folder = Path(archive), Path(folder)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                _extract(archive, folder, _zip_members(archive, opened))
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as opened:
                _extract(archive, folder, _tar_members(archive, opened))
        else:
            raise DownloadError(f"'{archive}' is neither a zip nor a tar archive.")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError, OSError) as error:
        raise DownloadError(f"'{archive}' cannot be unpacked: {error}.") from error


_Member = tuple[PurePosixPath, int, Callable[[], "IO[bytes] | None"]]


def _zip_members(archive: Path, opened: zipfile.ZipFile) -> list[_Member]:
    members: list[_Member] = []
    for info in opened.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DownloadError(f"'{archive}' holds '{info.filename}', a link or a device: refused.")
        if not info.is_dir():
            path = _safe_path(archive, info.filename)
            members.append((path, info.file_size, partial(opened.open, info)))
    return members


def _tar_members(archive: Path, opened: tarfile.TarFile) -> list[_Member]:
    members: list[_Member] = []
    for info in opened.getmembers():
        if not (info.isfile() or info.isdir()):
            raise DownloadError(f"'{archive}' holds '{info.name}', a link or a device: refused.")
        if info.isfile():
            path = _safe_path(archive, info.name)
            members.append((path, info.size, partial(opened.extractfile, info)))
    return members


def _safe_path(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or PureWindowsPath(name).drive or ".." in path.parts or not path.parts:
        raise DownloadError(f"'{archive}' holds '{name}', a path that leads out of its folder: refused.")
    return path


def _extract(archive: Path, folder: Path, members: list[_Member]) -> None:
    size, allowed = sum(member[1] for member in members), archive.stat().st_size * _LARGEST_RATIO + _ALWAYS_ALLOWED
    if size > allowed:
        raise DownloadError(
            f"'{archive}' would unpack to {size >> 20} MB from {archive.stat().st_size >> 10} KB: refused."
        )
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DownloadError(f"'{archive}' needs {size >> 20} MB, and only {free >> 20} MB are free in '{folder}'.")
    for path, _, open_member in members:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        source = open_member()
        if source is not None:
            # "x": two members of the same name are a damaged or a malicious archive.
            with source, open(target, "xb") as file:
                shutil.copyfileobj(source, file, _CHUNK)
