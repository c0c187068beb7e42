"""Getting models by name, from a loopback server: whole, damaged, cut off, and with archives that mean harm.

How single files and archives are fetched is looked at in tests/synthesis/test_download.py.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from paddle_portrait.cli.download_model import main
from paddle_portrait.models import read_weights
from paddle_portrait.models.weights import save_weights
from paddle_portrait.zoo import get as getting
from paddle_portrait.zoo import published as publications
from paddle_portrait.zoo.released import Released, ReleasedFile

NAME = "human_pp_humansegv1_lite_192x192_pretrained"
ARCHIVE = f"/pp_humanseg_v2/{NAME}.zip"


class Server:
    """A loopback server of files; each path in ``cut`` ends early the first time."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = self.files.get(request.path)
        if body is None:
            request.send_error(404)
            return
        start = int((request.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        request.send_header("Content-Length", str(len(body) - start))
        request.end_headers()
        stop = len(body) // 2 if request.path in self.cut else len(body)
        self.cut.discard(request.path)
        request.wfile.write(body[start:stop])
        request.close_connection = True


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    running = Server()
    monkeypatch.setattr(publications, "_HOST", running.url)
    yield running
    running.http.shutdown()
    running.http.server_close()


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def weights(tmp_path: Path) -> bytes:
    path = tmp_path / "made" / "model.pdparams"
    save_weights({"conv.weight": np.arange(6000, dtype=np.float32)}, path)
    return path.read_bytes()


def test_what_paddleseg_publishes_arrives_as_weights(server: Server, weights: bytes, tmp_path: Path) -> None:
    server.files[ARCHIVE] = zip_of({f"{NAME}/model.pdparams": weights})
    server.cut.add(ARCHIVE)
    checksum = hashlib.sha256(server.files[ARCHIVE]).hexdigest()
    assert main("weights", [NAME, "--sha256", checksum, "--save_dir", str(tmp_path)]) == 0
    assert read_weights(tmp_path / NAME / "model.pdparams")["conv.weight"].shape == (6000,)
    source = json.loads((tmp_path / NAME / ".source.json").read_text(encoding="utf-8"))
    assert source["sha256"] == checksum


def test_without_a_checksum_trust_must_be_said(
    server: Server, weights: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files[ARCHIVE] = zip_of({"model.pdparams": weights})
    assert main("weights", [NAME, "--save_dir", str(tmp_path)]) == 2
    assert "publishes no checksum" in capsys.readouterr().err and not (tmp_path / NAME).exists()
    assert main("weights", [NAME, "--trust", "--save_dir", str(tmp_path)]) == 0
    assert (tmp_path / NAME / "model.pdparams").read_bytes() == weights
    del server.files[ARCHIVE]  # a second call fetches nothing
    assert main("weights", [NAME, "--trust", "--save_dir", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("archive", "flags", "message"),
    [
        (zip_of({"model.pdparams": b"x"}), ["--sha256", "0" * 64], "expected was 0000"),
        (zip_of({"../model.pdparams": b"x"}), ["--trust"], "leads out of its folder"),
        (zip_of({"/model.pdparams": b"x"}), ["--trust"], "leads out of its folder"),
        (b"PK\x03\x04 no zip after all", ["--trust"], None),
        (None, ["--trust"], "HTTP status 404"),
    ],
)
def test_bad_archives_leave_nothing(
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    archive: bytes | None,
    flags: list[str],
    message: str | None,
) -> None:
    if archive is not None:
        server.files[ARCHIVE] = archive
    code = main("weights", [NAME, *flags, "--save_dir", str(tmp_path / "inside")])
    if message is None:  # no archive at all: a single file, which nothing can load
        assert code == 0 and not (tmp_path / "inside" / NAME / "model.pdparams").exists()
        return
    assert code == 2 and message in capsys.readouterr().err
    assert not (tmp_path / "inside" / NAME).exists() and not list(tmp_path.rglob("model.pdparams"))


@pytest.fixture
def table(weights: bytes, monkeypatch: pytest.MonkeyPatch) -> dict[str, Released]:
    """Give a table with one model, whose export is two files."""

    def of(content: bytes) -> ReleasedFile:
        return ReleasedFile(len(content), hashlib.sha256(content).hexdigest())

    export = {"deploy.yaml": of(b"Deploy: {}"), "onnx/model.onnx": of(b"graph")}
    made = {
        "tiny": Released("c.yml", "MIT", "here", "sigmoid", of(weights), export),
        "mobile": Released("c.yml", "MIT", "here", "sigmoid", of(weights)),
    }
    monkeypatch.setattr(getting, "released", lambda: made)
    return made


def test_this_zoos_models_come_file_by_file(server: Server, table: dict, weights: bytes, tmp_path: Path) -> None:
    server.files["/copy/pretrained_model/tiny/model.pdparams"] = weights
    server.files["/copy/export_model/tiny/deploy.yaml"] = b"Deploy: {}"
    server.files["/copy/export_model/tiny/onnx/model.onnx"] = b"graph"
    server.cut.add("/copy/export_model/tiny/onnx/model.onnx")
    common = ["tiny", "--save_dir", str(tmp_path)]
    for kind in ("weights", "export"):
        assert main(kind, [*common, "--base_url", f"{server.url}/copy/"]) == 0
        assert main(kind, common) == 0  # all here, with the right sums
    assert (tmp_path / "tiny/onnx/model.onnx").read_bytes() == b"graph"


def test_this_zoos_damaged_and_missing_files_are_named(
    server: Server, table: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files["/pretrained_model/tiny/model.pdparams"] = b"something else"
    common = ["tiny", "--save_dir", str(tmp_path)]
    assert main("weights", common) == 2 and "model.pdparams' is missing" in capsys.readouterr().err
    assert main("weights", [*common, "--base_url", server.url]) == 2
    assert "expected was" in capsys.readouterr().err
    (tmp_path / "tiny").mkdir(exist_ok=True)
    (tmp_path / "tiny/model.pdparams").write_bytes(b"something else")
    assert main("weights", common) == 2 and "damaged or another file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["human_pp_humansegv1_lite_192x192_pretraind"], f"Did you mean '{NAME}'"),
        (["highres"], "not released yet"),
        (["--sha256", "0" * 64], "name one model"),
        ([NAME, "tiny", "--sha256", "0" * 64], "name one model"),
    ],
)
def test_wrong_flags_are_named(
    table: dict, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("weights", arguments) == 2
    assert message in capsys.readouterr().err


def test_where_only_weights_are_released_the_export_is_made(
    table: dict, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main("export", ["mobile", "--save_dir", str(tmp_path)]) == 2
    assert "tools/export.py --model_path mobile" in capsys.readouterr().err


def test_the_list_has_both_kinds(table: dict, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("export", ["--list"]) == 0
    printed = capsys.readouterr().out
    assert (
        "tiny" in printed
        and "mobile " not in printed
        and "portrait_pp_humansegv1_lite_398x224_inference_model_with_softmax" in printed
    )
    assert NAME not in printed
