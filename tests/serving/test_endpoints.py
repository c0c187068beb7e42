"""What the endpoints answer, asked over real sockets, against masks that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from red_model import decoded, encoded, scene

PICTURE = scene()
INSIDE, OUTSIDE = np.s_[10:-10, 60:100], np.s_[10:-10, :20]


def post(client: httpx.Client, body: bytes | None = None, **params: Any) -> httpx.Response:
    """Send a picture as the body itself."""
    body = encoded(PICTURE) if body is None else body
    return client.post("/v1/segment", content=body, params=params, headers={"Content-Type": "image/png"})


@pytest.mark.parametrize(("file_format", "media"), [("png", "image/png"), ("webp", "image/webp")])
def test_a_mask_has_the_pictures_size_and_shows_the_person(client: httpx.Client, file_format: str, media: str) -> None:
    answer = post(client, format=file_format)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media)
    mask = decoded(answer.content)
    mask = mask if mask.ndim == 2 else mask[..., 0]
    assert mask.shape == PICTURE.shape[:2]
    assert mask[INSIDE].min() > 250
    assert mask[OUTSIDE].max() < 5
    cut = decoded(post(client, threshold=0.9).content)
    assert set(np.unique(cut)) == {0, 255}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".gif"])
def test_every_kind_of_picture_is_read(client: httpx.Client, suffix: str) -> None:
    mask = decoded(post(client, encoded(PICTURE, suffix)).content)
    assert mask[INSIDE].min() > 240


def test_probabilities_come_raw(client: httpx.Client) -> None:
    answer = post(client, output="probabilities")
    size = int(answer.headers["x-mask-height"]), int(answer.headers["x-mask-width"])
    person = np.frombuffer(answer.content, np.float32).reshape(size)
    assert size == PICTURE.shape[:2]
    assert person[INSIDE].min() > 0.99 and person[OUTSIDE].max() < 0.01
    small = post(client, output="probabilities", format="uint8", size="network")
    assert np.frombuffer(small.content, np.uint8).size == 64 * 64


def test_a_cutout_hides_what_is_not_the_person(client: httpx.Client) -> None:
    picture = decoded(post(client, output="cutout").content)
    assert picture.shape == (*PICTURE.shape[:2], 4)
    assert picture[INSIDE][..., 3].min() > 250
    np.testing.assert_array_equal(picture[48, 80, :3], PICTURE[48, 80])


def test_a_composite_takes_its_background_from_the_form(client: httpx.Client) -> None:
    blue = np.full((30, 50, 3), (0, 0, 255), np.uint8)
    files = {"image": encoded(PICTURE), "background": encoded(blue)}
    form = {"effect": "replace", "format": "png", "option": ["refine=smooth_step", "fit=stretch"]}
    picture = decoded(client.post("/v1/segment", files=files, data=form).content)
    np.testing.assert_array_equal(picture[48, 80], PICTURE[48, 80])
    assert picture[OUTSIDE][..., 2].min() > 150


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"output": "sculpture"}, "output"),
        ({"colour": "red"}, "colour"),
        ({"format": "uint8"}, "format of output=mask"),
        ({"output": "probabilities", "format": "png"}, "float32"),
        ({"effect": "blurr"}, "Did you mean 'blur'?"),
        ({"effect": "blur", "option": "radius=9"}, "radius"),
        ({"effect": "blur", "option": "radius"}, "NAME=VALUE"),
        ({"effect": "harmonize", "option": "model=/etc/passwd"}, "file"),
        ({"effect": "cutout", "format": "jpeg"}, "transparency"),
        ({"effect": "replace"}, "background"),
        ({"option": "radius=0.1"}, "effects"),
        ({"threshold": 2}, "threshold"),
        ({"threshold": "nan"}, "threshold"),
        ({"quality": 0}, "quality"),
        ({"output": ["mask", "cutout"]}, "2 times"),
    ],
)
def test_wrong_parameters_are_refused_by_name(client: httpx.Client, params: dict[str, Any], says: str) -> None:
    answer = post(client, **params)
    assert answer.status_code == 422
    assert says in answer.json()["detail"], answer.json()


def test_a_background_that_would_be_ignored_is_refused(client: httpx.Client) -> None:
    answer = client.post("/v1/segment", files={"file": encoded(PICTURE), "background": encoded(PICTURE)})
    assert (answer.status_code, answer.json()["code"]) == (422, "background")


def test_pages_health_and_figures(client: httpx.Client) -> None:
    post(client)
    assert client.get("/healthz").json() == {"status": "alive"}
    ready = client.get("/readyz").json()
    assert ready["status"] == "ready" and ready["runtime"].startswith("onnxruntime")
    figures = client.get("/metrics")
    assert figures.headers["content-type"].startswith("text/plain")
    assert 'paddle_portrait_requests_total{endpoint="/v1/segment",status="200"}' in figures.text
    assert "paddle_portrait_network_seconds_count" in figures.text
    assert "paddle_portrait_pending_requests 0.0" in figures.text
    assert "<html" in client.get("/").text
    names = {entry["name"] for entry in client.get("/v1/effects").json()["effects"]}
    assert {"blur", "replace", "cutout"} <= names


def test_documentation_names_every_endpoint_and_loads_nothing_from_elsewhere(client: httpx.Client) -> None:
    schema = client.get("/openapi.json").json()
    assert {"/v1/segment", "/api/remove", "/healthz", "/readyz", "/metrics"} <= set(schema["paths"])
    assert {one["name"] for one in schema["paths"]["/v1/segment"]["post"]["parameters"]} >= {"output", "effect"}
    page = client.get("/docs").text
    assert all(path in page for path in schema["paths"])
    assert "http://" not in page and "https://" not in page and "<script" not in page
    assert client.get("/api", follow_redirects=True).text == page


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/v1/segment", 405), ("DELETE", "/api/remove", 405)],
)
def test_other_addresses_and_methods(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["code"] == f"http_{status}"


def test_token_cors_and_the_built_page(serve: Any, model: Path, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<html>the page</html>")
    (tmp_path / "run.wasm").write_bytes(b"\0asm")
    (tmp_path / "secret").write_text("first-line\nsecond\n")
    flags = ("--page", tmp_path, "--token_file", tmp_path / "secret", "--cors", "https://a.example,https://b.example")
    with serve(model, *flags) as server, httpx.Client(base_url=server.url, timeout=30) as client:
        page = client.get("/")
        assert "the page" in page.text
        assert page.headers["cross-origin-opener-policy"] == "same-origin"
        assert client.get("/run.wasm").headers["content-type"] == "application/wasm"
        assert client.get("/../setup.py").status_code == 404
        assert client.get("/v1/segment", headers={"Authorization": "Bearer first-line"}).status_code == 405
        assert client.get("/readyz").status_code == 200
        for wrong in ({}, {"Authorization": "Bearer other"}, {"Authorization": "first-line"}):
            for path in ("/v1/effects", "/metrics"):
                refused = client.get(path, headers=wrong)
                assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert client.get("/v1/effects", headers={"Authorization": "Bearer first-line"}).status_code == 200
        ask = {"Origin": "https://b.example", "Access-Control-Request-Method": "POST"}
        assert client.options("/v1/segment", headers=ask).headers["access-control-allow-origin"] == "https://b.example"
        stranger = client.options("/v1/segment", headers={**ask, "Origin": "https://c.example"})
        assert "access-control-allow-origin" not in stranger.headers


def test_without_cors_no_origin_is_named(client: httpx.Client) -> None:
    answer = client.get("/healthz", headers={"Origin": "https://a.example"})
    assert "access-control-allow-origin" not in answer.headers
