"""``WS /v1/stream``: frames in, answers out, in order, each connection with a memory of its own."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from typing import Any

import httpx
import numpy as np
import pytest
from red_model import decoded, encoded, scene
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect


def opened(server: Any, query: str = "", **more: Any) -> ClientConnection:
    """Open a stream."""
    return connect(f"ws://127.0.0.1:{server.port}/v1/stream?{query}", open_timeout=30, **more)


def test_masks_come_back_in_order(server: Any) -> None:
    lefts = [0.0, 0.1, 0.3, 0.5, 0.2]
    with opened(server, "size=input&smoothing=none") as stream:
        for left in lefts:
            stream.send(encoded(scene(left=left), ".jpg"))
        masks = [decoded(stream.recv(30)) for _ in lefts]
    for left, mask in zip(lefts, masks, strict=True):
        assert mask.shape == scene().shape[:2]
        assert abs(float((mask > 127).nonzero()[1].mean()) / 160 - (left + 0.25)) < 0.02


def test_each_stream_is_steadied_by_its_own_past(server: Any) -> None:
    strong, weak = scene(), scene()
    strong[strong[..., 0] == 230], weak[weak[..., 0] == 230] = (124, 90, 90), (120, 90, 90)

    def last_mask(query: str, frames: list[np.ndarray]) -> float:
        with opened(server, query) as stream, opened(server, query) as other:
            for frame in frames:
                stream.send(encoded(frame))
                other.send(encoded(weak))
                answer, beside = (decoded(one.recv(30))[48, 80] for one in (stream, other))
            assert abs(int(beside) - 109) < 4  # that one saw the weak scene alone
        return float(answer)

    assert abs(last_mask("smoothing=none", [strong, weak]) - 109) < 4
    assert last_mask("smoothing=exponential", [strong, strong, weak]) > 114
    assert last_mask("", [strong, strong, weak]) > 114  # the default steadies, too


def test_a_composite_takes_its_background_by_message(server: Any) -> None:
    blue = np.full((30, 50, 3), (0, 0, 255), np.uint8)
    with opened(server, "smoothing=none&effect=replace&format=png&option=fit=stretch") as stream:
        stream.send(encoded(scene()))
        assert json.loads(stream.recv(30))["code"] == "background"
        stream.send('{"background": true}')
        stream.recv(30)
        stream.send(encoded(blue))
        assert json.loads(stream.recv(30)) == {"done": "background"}
        stream.send(encoded(scene()))
        picture = decoded(stream.recv(30))
    np.testing.assert_array_equal(picture[48, 80], scene()[48, 80])
    assert picture[48, 5, 2] > 240


def test_a_bad_frame_or_message_is_answered_and_the_stream_goes_on(server: Any) -> None:
    with opened(server, "output=probabilities&format=uint8&size=network") as stream:
        for bad, code in (
            (b"", "empty"),
            (b"x" * 99, "not_an_image"),
            ("{", "bad_message"),
            ("[" * 9999, "bad_message"),
        ):
            stream.send(bad)
            answer = json.loads(stream.recv(30))
            assert (answer["code"], answer["status"] // 100) == (code, 4)
        stream.send('{"reset": true}')
        assert json.loads(stream.recv(30)) == {"done": "reset"}
        stream.send(encoded(scene(64, 64)))
        assert len(stream.recv(30)) == 64 * 64
        stream.send(encoded(scene(32, 48)))  # the camera changed its resolution
        assert len(stream.recv(30)) == 32 * 48


def test_a_message_over_the_limit_ends_the_stream(server: Any) -> None:
    with opened(server) as stream:
        stream.send(bytes(1_200_000))
        with pytest.raises(ConnectionClosed) as closed:
            stream.recv(30)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009


@pytest.mark.parametrize(
    ("query", "status"), [("output=sculpture", 422), ("effect=none", 422), ("smoothing=magic", 422), ("speed=1", 422)]
)
def test_wrong_parameters_refuse_the_handshake(server: Any, query: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as refused, opened(server, query):
        pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body)["detail"]


def test_pages_of_other_origins_are_refused(server: Any) -> None:
    with opened(server, origin=f"http://127.0.0.1:{server.port}"):
        pass
    with pytest.raises(InvalidStatus) as refused, opened(server, origin="https://evil.example"):
        pass
    assert refused.value.response.status_code == 403


def test_the_number_of_streams_is_bounded_and_places_come_back(server: Any) -> None:
    with ExitStack() as streams:
        for _ in range(3):
            streams.enter_context(opened(server))
        with pytest.raises(InvalidStatus) as refused, opened(server):
            pass
    assert (refused.value.response.status_code, refused.value.response.headers["Retry-After"]) == (429, "5")
    deadline = time.monotonic() + 10
    while "streams 0.0" not in httpx.get(f"{server.url}/metrics").text and time.monotonic() < deadline:
        time.sleep(0.05)
    with opened(server):
        pass


def test_limits_of_frames_and_idleness_and_the_token(serve: Any, model: Any) -> None:
    limits = ("--max_stream_frames", 2, "--stream_idle_s", 0.5)
    with serve(model, *limits, environment={"PADDLE_PORTRAIT_TOKEN": "word"}) as server:
        with pytest.raises(InvalidStatus) as refused, opened(server):
            pass
        assert refused.value.response.status_code == 401
        header = {"Authorization": "Bearer word"}
        for frames, code in ((2, 1008), (1, 1013)):
            with opened(server, additional_headers=header) as stream:
                for _ in range(frames):
                    stream.send(encoded(scene()))
                    stream.recv(30)
                with pytest.raises(ConnectionClosed) as closed:
                    stream.recv(30)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == code
