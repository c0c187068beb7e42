"""A network made by hand, for which whatever is red is a person, behind a server in a process of its own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

for package in ("fastapi", "uvicorn", "prometheus_client", "websockets"):
    pytest.importorskip(package, reason="the extra 'server' is not installed")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(Path(__file__).parent)]
serving = importlib.import_module("_serving")
red_model = importlib.import_module("red_model")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the export in which red is a person."""
    return red_model.write_model(tmp_path_factory.mktemp("serving") / "red")


@pytest.fixture(scope="session")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same, some twenty times as slow."""
    return red_model.write_model(tmp_path_factory.mktemp("serving") / "slow", work=4)


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Return a function that starts a server: ``with serve(model, "--max_batch", 4) as server``."""

    def start(directory: Path, *flags: object, **more: Any) -> Any:
        log = tmp_path_factory.mktemp("log") / "server.txt"
        return serving.Served("--model", directory, "--backend", "onnx", "--drain_s", 0.3, *flags, log=log, **more)

    return start


@pytest.fixture(scope="session")
def server(serve: Callable[..., Any], model: Path) -> Iterator[Any]:
    """Return a server with small limits that all tests share."""
    limits = ("--max_megapixels", 1, "--max_megapixels_at_work", 4, "--max_side", 4000, "--max_body_mib", 1)
    with serve(model, *limits, "--max_pending", 32, "--body_timeout_s", 2, "--max_streams", 3) as running:
        yield running


@pytest.fixture
def client(server: Any) -> Iterator[httpx.Client]:
    """Return a client of the shared server."""
    with httpx.Client(base_url=server.url, timeout=30) as opened:
        yield opened
