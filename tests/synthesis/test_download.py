"""Fetching from a server that misbehaves, and unpacking archives that mean harm."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from paddle_portrait.cli.download_data import main
from paddle_portrait.errors import UserError
from paddle_portrait.zoo.download import DownloadError, fetch, fetch_into, file_name_of, unpack

PAYLOAD = bytes(range(256)) * 2000
SUM = hashlib.sha256(PAYLOAD).hexdigest()


class Server:
    """A loopback server whose paths each misbehave in their own way; it remembers what it was asked for."""

    def __init__(self) -> None:
        self.ranges: list[str | None] = []
        self.files: dict[str, bytes] = {}
        self.handlers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.ranges.append(self.headers.get("Range"))
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if request.path in self.handlers:
            self.handlers[request.path](request)
        elif request.path in self.files:
            send(request, self.files[request.path])
        else:
            request.send_error(404)


def send(request: BaseHTTPRequestHandler, body: bytes, stop_after: int | None = None, ranges: bool = True) -> None:
    """Answer as a decent server does, but for ``stop_after``: the connection ends after so many bytes."""
    asked = request.headers.get("Range")
    start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and ranges else 0
    if start >= len(body) and start:
        request.send_error(416)
        return
    request.send_response(206 if start else 200)
    if start:
        request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
    request.send_header("Content-Length", str(len(body) - start))
    request.end_headers()
    request.wfile.write(body[start:][:stop_after])
    request.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    running.files["/file.bin"] = PAYLOAD
    yield running
    running.http.shutdown()
    running.http.server_close()


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return buffer.getvalue()


def tar_of(members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as opened:
        for info, content in members:
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def sum_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_fetches_and_keeps(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "file.bin"
    assert fetch(f"{server.url}/file.bin", target, "SHA256:" + SUM.upper()).read_bytes() == PAYLOAD
    asked = len(server.ranges)
    fetch(f"{server.url}/file.bin", target, SUM)
    assert len(server.ranges) == asked, "the second call went to the network"
    assert [path.name for path in target.parent.iterdir()] == ["file.bin"]


def test_continues_after_a_truncated_answer(server: Server, tmp_path: Path) -> None:
    server.handlers["/short"] = lambda request: send(request, PAYLOAD, None if len(server.ranges) > 2 else 100_000)
    assert fetch(f"{server.url}/short", tmp_path / "f", SUM).read_bytes() == PAYLOAD
    assert server.ranges == [None, "bytes=100000-", "bytes=200000-"]


def test_continues_an_earlier_run(server: Server, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(PAYLOAD[:77_777])
    assert fetch(f"{server.url}/file.bin", tmp_path / "f", SUM).read_bytes() == PAYLOAD
    assert server.ranges == ["bytes=77777-"]


def test_starts_again_when_the_earlier_part_is_of_another_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(b"old" * 1000)
    assert fetch(f"{server.url}/file.bin", tmp_path / "f", SUM).read_bytes() == PAYLOAD


def test_starts_again_when_the_earlier_part_is_too_long(server: Server, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(PAYLOAD + b"more")
    assert fetch(f"{server.url}/file.bin", tmp_path / "f", SUM).read_bytes() == PAYLOAD


def test_server_that_ignores_ranges(server: Server, tmp_path: Path) -> None:
    server.handlers["/whole"] = lambda request: send(request, PAYLOAD, ranges=False)
    (tmp_path / "f.part").write_bytes(PAYLOAD[:5000])
    assert fetch(f"{server.url}/whole", tmp_path / "f", SUM).read_bytes() == PAYLOAD


def test_follows_redirects(server: Server, tmp_path: Path) -> None:
    def redirect(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", "/file.bin")
        request.end_headers()

    server.handlers["/moved"] = redirect
    assert fetch(f"{server.url}/moved", tmp_path / "f", SUM).read_bytes() == PAYLOAD


def test_endless_redirects_end(server: Server, tmp_path: Path) -> None:
    def redirect(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", "/loop")
        request.end_headers()

    server.handlers["/loop"] = redirect
    with pytest.raises(DownloadError, match="redirects"):
        fetch(f"{server.url}/loop", tmp_path / "f", SUM)


def test_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=SUM):
        fetch(f"{server.url}/file.bin", tmp_path / "f", "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_always_truncated_gives_up_and_keeps_the_part(server: Server, tmp_path: Path) -> None:
    server.handlers["/never"] = lambda request: send(request, PAYLOAD, 1000)
    with pytest.raises(DownloadError, match="again to continue"):
        fetch(f"{server.url}/never", tmp_path / "f", SUM)
    assert (tmp_path / "f.part").read_bytes() == PAYLOAD[:4000]
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize(
    ("url", "checksum", "complaint"),
    [
        ("/nothing", SUM, "404"),
        ("ftp://host/file", SUM, "http"),
        ("file:///etc/hostname", SUM, "http"),
        ("/file.bin", "abc", "64 hexadecimal"),
        ("/file.bin", "g" * 64, "64 hexadecimal"),
    ],
)
def test_refused_requests(server: Server, tmp_path: Path, url: str, checksum: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        fetch(server.url + url if url.startswith("/") else url, tmp_path / "f", checksum)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://host/a/set.zip?x=1", "set.zip"),
        ("http://host/..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("http://host/", "download"),
        ("http://host/a%20b.zip", "a_b.zip"),
        ("http://host/.bashrc", "bashrc"),
    ],
)
def test_file_names_stay_in_their_folder(url: str, name: str) -> None:
    assert file_name_of(url) == name


def test_command_fetches_unpacks_and_keeps(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = zip_of({"set/train.txt": b"images/a.jpg masks/a.png\n", "set/images/a.jpg": b"jpeg"})
    server.files["/set.zip"] = archive
    command = ["--url", f"{server.url}/set.zip", "--sha256", sum_of(archive), "--to", str(tmp_path / "data" / "set")]
    assert main(command) == 0
    assert (tmp_path / "data" / "set" / "images" / "a.jpg").read_bytes() == b"jpeg"
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["set"], "something was left behind"
    asked = len(server.ranges)
    assert main(command) == 0
    assert len(server.ranges) == asked
    assert main([*command[:3], "0" * 64, *command[4:]]) == 2
    assert "something else" in capsys.readouterr().err


def test_a_single_file_keeps_its_name(server: Server, tmp_path: Path) -> None:
    assert fetch_into(f"{server.url}/file.bin", tmp_path / "x", SUM)
    assert (tmp_path / "x" / "file.bin").read_bytes() == PAYLOAD


def test_a_bad_archive_leaves_no_folder(server: Server, tmp_path: Path) -> None:
    archive = zip_of({"ok.txt": b"1", "../evil.txt": b"2"})
    server.files["/bad.zip"] = archive
    with pytest.raises(DownloadError, match="leads out"):
        fetch_into(f"{server.url}/bad.zip", tmp_path / "data" / "bad", sum_of(archive))
    assert not (tmp_path / "data" / "bad").exists()
    assert not (tmp_path / "data" / "evil.txt").exists() and not (tmp_path / "evil.txt").exists()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_unpacks_tars(tmp_path: Path, mode: str) -> None:
    (tmp_path / "a").write_bytes(tar_of([(tarfile.TarInfo("d/x.txt"), b"hello")], mode))
    unpack(tmp_path / "a", tmp_path)
    assert (tmp_path / "d" / "x.txt").read_bytes() == b"hello"


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil", "C:/evil", "C:\\evil", "a\\..\\..\\evil"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_paths_that_lead_out(tmp_path: Path, name: str, kind: str) -> None:
    data = zip_of({name: b"x"}) if kind == "zip" else tar_of([(tarfile.TarInfo(name), b"x")])
    (tmp_path / "a").write_bytes(data)
    (tmp_path / "to").mkdir()
    with pytest.raises(DownloadError, match="leads out"):
        unpack(tmp_path / "a", tmp_path / "to")
    assert list((tmp_path / "to").iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_tars(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, "/etc/passwd"
    (tmp_path / "a").write_bytes(tar_of([(info, b"")]))
    with pytest.raises(DownloadError, match="link or a device"):
        unpack(tmp_path / "a", tmp_path)


def test_links_in_zips(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a", "w") as opened:
        opened.writestr(info, "/etc/passwd")
    with pytest.raises(DownloadError, match="link or a device"):
        unpack(tmp_path / "a", tmp_path)


def test_bombs_duplicates_and_rubbish(tmp_path: Path) -> None:
    (tmp_path / "bomb").write_bytes(zip_of({"zeros": bytes(120 << 20)}))
    with pytest.raises(DownloadError, match="would unpack to"):
        unpack(tmp_path / "bomb", tmp_path)
    twice = [(tarfile.TarInfo("x"), b"1"), (tarfile.TarInfo("x"), b"2")]
    (tmp_path / "twice").write_bytes(tar_of(twice))
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        unpack(tmp_path / "twice", tmp_path)
    (tmp_path / "rubbish").write_bytes(b"no archive at all")
    with pytest.raises(DownloadError, match="neither"):
        unpack(tmp_path / "rubbish", tmp_path)
    (tmp_path / "cut").write_bytes(zip_of({"x": PAYLOAD})[:-40])
    with pytest.raises(DownloadError):
        unpack(tmp_path / "cut", tmp_path)
