"""Every shipped export, behind the server, answers the golden portrait as its golden file says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import numpy as np
import pytest
from red_model import encoded

from paddle_portrait.export.golden import decode_vector
from paddle_portrait.serving.app import create_app
from paddle_portrait.serving.settings import Settings
from paddle_portrait.zoo.released import read_table

ROOT = Path(__file__).resolve().parents[2]
EXPORTS = sorted(name for name, entry in read_table().items() if entry.export)


def test_there_are_some() -> None:
    assert EXPORTS


@pytest.mark.parametrize("name", EXPORTS)
def test_raw_probabilities_are_those_of_the_golden_file(name: str) -> None:
    golden = json.loads((ROOT / "tests/golden" / f"{name}.json").read_text(encoding="utf-8"))
    picture, expected = decode_vector(golden)
    answer = asyncio.run(ask(name, encoded(picture)))
    assert answer.status_code == 200, answer.text
    size = int(answer.headers["x-mask-height"]), int(answer.headers["x-mask-width"])
    assert (size, answer.headers["x-mask-type"]) == (picture.shape[:2], "float32")
    person = np.frombuffer(answer.content, "<f4").reshape(size)
    np.testing.assert_allclose(person, expected, rtol=0, atol=golden["vector"]["tolerance"])


async def ask(name: str, body: bytes) -> httpx.Response:
    """Start the server's application with a model, in this process; return its raw answer to a picture."""
    app = create_app(Settings(model=name, backend="onnx", runners=1, max_batch=1))  # 1: no batches are timed
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        parameters, headers = {"output": "probabilities"}, {"Content-Type": "image/png"}
        return await client.post("/v1/segment", content=body, params=parameters, headers=headers)
