"""A server in its daily work: many clients, several workers, one killed, one told to stop."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import _serving as serving
import httpx
import numpy as np
import pytest
from red_model import decoded, encoded, scene

REQUEST = serving.post_request("/v1/segment", encoded(scene()), "image/png")


def figure(text: str, name: str) -> float:
    """Return a figure of /metrics, without labels."""
    return float(re.search(rf"^paddle_portrait_{name} (\S+)$", text, re.MULTILINE)[1])  # type: ignore[index]


def in_background(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Start ``work`` in a thread; its result comes into the list."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    return thread, results


def test_concurrent_requests_share_runs_and_keep_their_own_answers(serve: Any, slow_model: Path) -> None:
    with serve(slow_model, "--runners", 1, "--max_batch", 4, "--max_wait_ms", 20) as server:
        lefts = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5] * 3
        answers: dict[int, np.ndarray] = {}

        def ask(number: int) -> None:
            answer = httpx.post(f"{server.url}/v1/segment", content=encoded(scene(left=lefts[number])), timeout=60)
            answers[number] = decoded(answer.content)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(lefts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, left in enumerate(lefts):
            assert abs(float((answers[number] > 127).nonzero()[1].mean()) / 160 - (left + 0.25)) < 0.02
        text = httpx.get(f"{server.url}/metrics").text
        assert figure(text, "batch_size_sum") == len(lefts)
        assert figure(text, "batch_size_count") < len(lefts)


def test_batches_of_pictures_that_fill_the_memory_allowed_do_not_wait_for_each_other(serve: Any, model: Path) -> None:
    limits = ("--max_megapixels", 1, "--max_megapixels_at_work", 2)  # of what two batches of 8 would decode, an eighth
    request = serving.post_request("/v1/segment?size=network", encoded(scene(900, 1000), ".jpg"))
    with serve(model, *limits, "--runners", 2, "--max_batch", 8, "--work_timeout_s", 20) as server:
        load = serving.closed_loop(server.port, [request], 16, 2)
        assert len(load.latencies_ms) >= 16 and set(load.statuses) <= {200} and not load.errors
        assert figure(httpx.get(f"{server.url}/metrics").text, "decoded_pixels") == 0


def test_how_many_pictures_go_together_is_timed_unless_it_is_said(serve: Any, slow_model: Path) -> None:
    told = r"up to ([1248]) pictures go through the network together"
    with serve(slow_model) as server:
        assert re.search(told, server.stop())
    with serve(slow_model, "--max_batch", 4) as server:
        assert not re.search(told, server.stop())


def test_a_full_queue_refuses_with_retry_after_and_serves_on(serve: Any, slow_model: Path) -> None:
    with serve(slow_model, "--max_pending", 4, "--runners", 1) as server:
        load = serving.closed_loop(server.port, [REQUEST], 12, 2.5)
        assert load.statuses[200] > 0 and load.statuses[429] > 0
        assert set(load.statuses) == {200, 429}
        assert not load.mute_refusals and not load.errors
        assert 'refused_total{code="busy"}' in httpx.get(f"{server.url}/metrics").text


def test_work_that_takes_too_long_is_given_up_and_its_place_comes_back(serve: Any, slow_model: Path) -> None:
    with serve(slow_model, "--work_timeout_s", 0.01, "--max_pending", 2, "--runners", 1) as server:
        for _ in range(4):
            answer = httpx.post(f"{server.url}/v1/segment", content=encoded(scene()), timeout=30)
            assert answer.status_code in (429, 503) and int(answer.headers["retry-after"]) >= 1
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            text = httpx.get(f"{server.url}/metrics").text
            if figure(text, "pending_requests") == 0 and figure(text, "decoded_pixels") == 0:
                return
            time.sleep(0.1)
    pytest.fail("the places did not come back")


def test_memory_stays_flat(server: Any) -> None:
    sizes = [(900, 1000), (300, 200), (64, 64), (1000, 700)]
    requests = [
        serving.post_request(f"/v1/segment?output={output}", encoded(scene(*size), ".jpg"))
        for size in sizes
        for output in ("mask", "cutout", "composite")
    ]
    serving.closed_loop(server.port, requests, 12, 2)
    before = serving.resident_mib(server.process.pid)
    load = serving.closed_loop(server.port, requests, 12, 3)
    assert load.statuses[200] >= len(requests) and set(load.statuses) == {200}
    assert serving.resident_mib(server.process.pid) < before + 60


def test_two_workers_answer_and_one_that_is_killed_is_replaced(serve: Any, slow_model: Path) -> None:
    with serve(slow_model, "--workers", 2, "--runners", 1) as server:
        wait_for_workers(server, 2)
        thread, results = in_background(lambda: serving.closed_loop(server.port, [REQUEST], 8, 6))
        time.sleep(1.5)
        victim = busiest(server)
        os.kill(victim, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while len(set(workers(server)) - {victim}) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(set(workers(server)) - {victim}) == 2
        thread.join()
        load = results[0]
        # Who was being served by the killed one lost the connection; nobody got a wrong answer, and all went on.
        assert set(load.statuses) == {200}
        assert 0 < sum(load.errors.values()) <= 8
        text = httpx.get(f"{server.url}/metrics").text
        served = float(re.search(r'requests_total\{endpoint="/v1/segment",status="200"\} (\S+)', text)[1])  # type: ignore[index]
        assert served >= load.statuses[200]  # the figures are of all workers, the dead one's included


def test_sigterm_under_load_loses_no_request_that_was_taken(serve: Any, slow_model: Path) -> None:
    with serve(slow_model, "--runners", 1) as server:
        before = 1 + ready_requests(server)
        thread, results = in_background(lambda: serving.closed_loop(server.port, [REQUEST], 12, 4))
        time.sleep(1.2)
        log = server.stop()
        thread.join()
    load = results[0]
    taken, answered = map(int, re.search(r"stopped: (\d+) requests taken, (\d+) answered", log).groups())  # type: ignore[union-attr]
    assert set(load.statuses) == {200}
    assert taken == answered == before + len(load.latencies_ms)  # those included that came after the clients' time
    # Never accepted: by the closed port, or by a system that still held the connection for it.
    assert set(load.errors) <= {"connecting: ConnectionRefusedError", "ConnectionResetError"}, load.errors


def ready_requests(server: Any) -> int:
    """Return how many requests the server has had."""
    text = httpx.get(f"{server.url}/metrics").text
    return int(sum(float(count) for count in re.findall(r"requests_total\{.*\} (\S+)", text)))


def workers(server: Any) -> list[int]:
    """Return the processes that serve."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    found = []
    for pid in children:
        with suppress(OSError):  # it has ended meanwhile
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(int(pid))
    return found


def busiest(server: Any) -> int:
    """Return the worker that most clients are connected to: the system may give all of them to one."""
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        ours = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{server.port:04X}") and row[3] == "01"}
        held = {pid: len(ours & open_files(pid)) for pid in workers(server)}
        if any(held.values()):
            return max(held, key=held.__getitem__)
        time.sleep(0.05)
    pytest.fail("no worker has taken a connection")


def open_files(pid: int) -> set[str]:
    """Return what a process has open."""
    found = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # it was closed meanwhile
            found.add(os.readlink(file))
    return found


def wait_for_workers(server: Any, count: int) -> None:
    """Wait until so many processes have answered; on a machine at work each takes half a minute to start."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        serving.closed_loop(server.port, [REQUEST], 4, 0.3)
        log = server.log.read_text(encoding="utf-8")
        if log.count("Application startup complete") >= count:
            return
    pytest.fail(f"fewer than {count} workers started")
