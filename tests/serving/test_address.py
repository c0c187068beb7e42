"""A port that cannot be had is told at once, before the packages and the model are loaded."""

from __future__ import annotations

import socket

import pytest

from paddle_portrait import zoo
from paddle_portrait.cli import serve
from paddle_portrait.errors import UserError
from paddle_portrait.serving.address import check_address


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_in_use_is_told_before_the_model_is_looked_for(
    workers: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo, "default_export", lambda: pytest.fail("the model was looked for"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert serve.main(["--port", str(port), "--workers", workers]) == 2
    told = capsys.readouterr().err
    assert told == (
        f"error: port {port} on 127.0.0.1 is in use; stop the program that has it, or choose another with --port.\n"
    )


def test_a_free_port_stays_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    for _ in range(2):
        check_address("127.0.0.1", port)
        check_address("localhost", port)
    check_address("0.0.0.0", 0)
    socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.parametrize(
    ("host", "port", "flag"),
    [("192.0.2.1", 8000, "--host"), ("no such host", 8000, "--host"), ("127.0.0.1", 70000, "--port")],
)
def test_an_address_that_cannot_be_is_told(host: str, port: int, flag: str) -> None:
    with pytest.raises(UserError, match=flag):
        check_address(host, port)
