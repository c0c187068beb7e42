"""``/api/remove``, called as rembg's documented clients call it."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest
from red_model import decoded, encoded, scene

PICTURE = scene()
INSIDE, OUTSIDE = np.s_[10:-10, 60:100], np.s_[10:-10, :20]


def remove(client: httpx.Client, query: dict[str, Any] | None = None, **fields: Any) -> httpx.Response:
    """Send the form that ``curl -F file=@photo.jpg`` and rembg's clients send."""
    files = {"file": ("photo.png", encoded(PICTURE), "image/png")}
    return client.post("/api/remove", files=files, data=fields, params=query)


def picture_of(answer: httpx.Response) -> np.ndarray:
    """Return the pixels of an answer, which is always a PNG."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return decoded(answer.content)


def test_the_plain_call_gives_a_transparent_picture(client: httpx.Client) -> None:
    picture = picture_of(remove(client))
    assert picture.shape == (*PICTURE.shape[:2], 4)
    assert picture[INSIDE][..., 3].min() > 250 and picture[OUTSIDE][..., 3].max() < 5


def test_only_mask_and_post_processing(client: httpx.Client) -> None:
    mask = picture_of(remove(client, om="true"))
    assert mask.ndim == 2 and len(np.unique(mask)) > 2
    assert set(np.unique(picture_of(remove(client, om="true", ppm="true")))) == {0, 255}


def test_the_colour_is_a_query_parameter_even_of_a_post(client: httpx.Client) -> None:
    picture = picture_of(remove(client, {"bgc": "0,0,255,255"}))
    assert (picture[..., 3] == 255).all()
    np.testing.assert_allclose(picture[48, 5, :3], (0, 0, 255), atol=1)
    half = picture_of(remove(client, {"bgc": "0, 0, 255, 128"}))
    np.testing.assert_allclose(half[48, 5].astype(int), (0, 0, 255, 128), atol=4)


def test_every_field_at_once(client: httpx.Client) -> None:
    fields = {"model": "u2net", "a": "true", "af": "240", "ab": "10", "ae": "10", "om": "false", "ppm": "false"}
    picture = picture_of(remove(client, {"extras": '{"sam_prompt": []}'}, **fields, dc="true", vm="1"))
    assert picture[INSIDE][..., 3].min() > 250 and picture[OUTSIDE][..., 3].max() < 5


def test_alpha_matting_leaves_what_is_sure_and_redraws_the_edge(client: httpx.Client) -> None:
    plain, matted = (picture_of(remove(client, om="true", a=a, ae="2")).astype(int) for a in ("false", "true"))
    sure = (plain > 250) | (plain < 3)
    sure[:, 30:50] = sure[:, 110:130] = False
    np.testing.assert_allclose(matted[sure], plain[sure], atol=3)
    # The bar's edges lie between two columns; the enlarged mask is soft there, the redrawn one less so.
    assert np.abs(matted - (PICTURE[..., 0] > 128) * 255).mean() < np.abs(plain - (PICTURE[..., 0] > 128) * 255).mean()


@pytest.mark.parametrize("name", ["u2netp", "u2net_human_seg", "birefnet-portrait", "isnet-general-use", "bria-rmbg"])
def test_its_models_mean_ours(client: httpx.Client, name: str) -> None:
    assert picture_of(remove(client, model=name)).shape == (*PICTURE.shape[:2], 4)


@pytest.mark.parametrize(
    ("query", "fields", "says"),
    [
        ({}, {"model": "u3net"}, "u2net"),
        ({}, {"model": "sam"}, "other work"),
        ({}, {"model": "../../etc"}, "unknown model"),
        ({}, {"af": "256"}, "af"),
        ({}, {"ab": "-1"}, "ab"),
        ({}, {"ae": "wide"}, "ae"),
        ({}, {"om": "perhaps"}, "om"),
        ({"bgc": "1,2,3"}, {}, "R,G,B,A"),
        ({"bgc": "1,2,3,256"}, {}, "R,G,B,A"),
        ({"extras": "{"}, {}, "JSON"),
    ],
)
def test_what_it_refuses(client: httpx.Client, query: dict[str, str], fields: dict[str, str], says: str) -> None:
    answer = remove(client, query, **fields)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]


def test_the_file_is_required(client: httpx.Client) -> None:
    answer = client.post("/api/remove", files={"photo": b"x"})
    assert (answer.status_code, answer.json()["code"]) == (422, "no_file")


def test_nothing_is_fetched_unless_that_is_switched_on(client: httpx.Client) -> None:
    answer = client.get("/api/remove", params={"url": "https://example.org/a.jpg", "model": "u2net"})
    assert (answer.status_code, answer.json()["code"]) == (403, "fetching_off")
    assert client.get("/api/remove").status_code == 422
