"""Paddle Lite: the exported files, the process that runs them, and what happens when it dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.export import ExportError, export_model
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.lite_program import write_for_lite
from paddle_portrait.export.options import ExportOptions
from paddle_portrait.inference import Predictor
from paddle_portrait.inference.backends.paddlelite import PaddleLiteBackend
from paddle_portrait.inference.lite import environment, process

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def predictor(exported: Path) -> Predictor:
    """Return a predictor with a process of its own."""
    return Predictor.load(exported, backend="paddlelite")


def person(network: nn.Layer, tensor: np.ndarray) -> np.ndarray:
    """Return the second class' probability."""
    return F.softmax(network(paddle.to_tensor(tensor)), axis=1).numpy()[:, 1]


def test_all_files_and_their_proof(exported: Path) -> None:
    names = {path.stem for path in (exported / "paddlelite").glob("*.nb")}
    assert names >= {"x86", "arm", "arm_fp16", "arm_opencl"}
    proof = json.loads((exported / "parity.json").read_text())["targets"]
    entry = proof["paddlelite"]
    assert entry["ran"] and entry["passed"] and entry["finite"] and entry["max_abs_diff"] < 1e-4
    assert entry["runtime"].startswith("paddle lite v2.13")
    assert entry["operators"]["conv2d"] >= 2 and "reshape2" not in entry["operators"]
    for name in ("arm", "arm_fp16", "arm_opencl"):
        assert proof[f"paddlelite/{name}"]["ran"] is False and proof[f"paddlelite/{name}"]["passed"] is None
    for name in names & {"x86_int8", "arm_int8"}:
        assert proof[f"paddlelite/{name}"]["passed"] is (True if name == "x86_int8" else None)


def test_any_size(lite_python, build_network, transforms, tmp_path: Path) -> None:
    network = build_network(classes=3)
    export_model(network, transforms, tmp_path / "e", ["paddlelite"], "softmax", (-1, -1))
    graph = Predictor.load(tmp_path / "e", backend="paddlelite", threads=2)
    rng = np.random.default_rng(1)
    for size in ((64, 48), (96, 160), (64, 48), (32, 32)):
        tensor = rng.standard_normal((1, 3, *size)).astype(np.float32)
        expected = F.softmax(network(paddle.to_tensor(tensor)), axis=1).numpy()
        np.testing.assert_allclose(graph.run(tensor), expected, atol=1e-5)


def test_sixteen_pixels_in_a_float(lite_python, build_network, transforms, tmp_path: Path) -> None:
    options = ExportOptions("argmax", bit_packed=16)
    report = export_model(build_network(), transforms, tmp_path / "e", ["paddlelite"], options=options)
    assert report.targets["paddlelite"].max_abs_diff == 0
    assert not any("int8" in name for name in report.targets)


def test_weights_that_int8_ruins_are_left_out(lite_python, transforms, tmp_path: Path, caplog) -> None:
    class Fragile(nn.Layer):
        """The answer is a small difference of large numbers."""

        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Conv2D(3, 8, 1)
            self.head = nn.Conv2D(8, 2, 1)
            rng = np.random.default_rng(2)
            self.mix.weight.set_value(paddle.to_tensor(rng.normal(0, 1, (8, 3, 1, 1)).astype("float32")))
            weights = rng.normal(0, 1, (1, 8, 1, 1)) * 100 + np.array([[0.0], [1.0]])[..., None, None] * 0.2
            self.head.weight.set_value(paddle.to_tensor(weights.astype("float32")))

        def forward(self, x: paddle.Tensor) -> paddle.Tensor:
            return self.head(self.mix(x))

    network = Fragile()
    network.eval()
    with caplog.at_level("WARNING", "paddle_portrait"):
        report = export_model(network, transforms, tmp_path / "e", ["paddlelite"], "sigmoid")
    assert "paddlelite/x86_int8: left out" in caplog.text
    assert not {"paddlelite/x86_int8", "paddlelite/arm_int8"} & set(report.targets)
    assert not list((tmp_path / "e").rglob("*int8*"))
    assert "int8" not in (tmp_path / "e/deploy.yaml").read_text()
    Predictor.load(tmp_path / "e", backend="paddlelite")


def test_an_operator_that_lite_lacks_is_named(lite_python, transforms, tmp_path: Path) -> None:
    class Shuffled(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Conv2D(3, 2, 1)

        def forward(self, x: paddle.Tensor) -> paddle.Tensor:
            return F.channel_shuffle(self.head(x), 2)

    network = Shuffled()
    network.eval()
    with pytest.raises(ExportError, match=r"format paddlelite.*not supported.*channel_shuffle"):
        export_model(network, transforms, tmp_path / "e", ["paddlelite"], "softmax")
    assert not (tmp_path / "e").exists()


@pytest.mark.parametrize("activation", [F.relu6, F.sigmoid, F.hardswish, F.relu, lambda x: F.leaky_relu(x, 0.1)])
def test_transposed_convolutions_with_any_activation(activation, lite_python, transforms, tmp_path: Path) -> None:
    class Raised(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.down, self.up = nn.Conv2D(3, 4, 3, 2, 1), nn.Conv2DTranspose(4, 4, 4, 2, 1)
            self.up.bias.set_value(paddle.to_tensor([0.5, -0.4, 0.3, -0.2]))
            self.head = nn.Conv2D(4, 2, 1)

        def forward(self, x: paddle.Tensor) -> paddle.Tensor:
            return self.head(activation(self.up(self.down(x))))

    network = Raised()
    network.eval()
    job = ExportJob(network, ExportOptions("none"), (1, 3, 64, 48), tmp_path / "scratch")
    source, files = job.build("paddle_legacy")
    write_for_lite(source / files.model, tmp_path / "for_lite.pdmodel")
    command = [lite_python, "-I", Path(environment.__file__).with_name("opt.py"), tmp_path / "for_lite.pdmodel"]
    command += [source / str(files.params), "x86", "fp32", tmp_path / "x86"]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    tensor = np.random.default_rng(0).standard_normal((1, 3, 64, 48)).astype(np.float32)
    found = PaddleLiteBackend(lite_python, tmp_path / "x86.nb", 1).run(tensor)
    np.testing.assert_allclose(found, network(paddle.to_tensor(tensor)).numpy(), atol=1e-5)


def test_a_dead_process_is_started_anew(predictor: Predictor, caplog) -> None:
    graph = backend(predictor)
    tensor = np.random.default_rng(0).standard_normal((1, 3, 64, 48)).astype(np.float32)
    expected = graph.run(tensor)
    killed = graph.pid
    os.kill(killed, signal.SIGKILL)
    time.sleep(0.2)
    np.testing.assert_array_equal(graph.run(tensor), expected)
    assert graph.pid not in (killed, None)
    assert "died (SIGKILL" in caplog.text


def test_a_process_that_is_killed_during_calls(predictor: Predictor) -> None:
    graph, tensor = backend(predictor), np.zeros((1, 3, 64, 48), np.float32)
    expected, wrong, done = graph.run(tensor), [], threading.Event()

    def call() -> None:
        while not done.is_set():
            if not np.array_equal(graph.run(tensor), expected):
                wrong.append("another answer")

    callers = [threading.Thread(target=call) for _ in range(2)]
    for caller in callers:
        caller.start()
    killed: list[int] = []
    for _ in range(3):
        killed.append(wait_for_another(graph, killed))
        os.kill(killed[-1], signal.SIGKILL)
    done.set()
    for caller in callers:
        caller.join()
    assert not wrong and len(set(killed)) == 3
    np.testing.assert_array_equal(graph.run(tensor), expected)


def wait_for_another(graph: PaddleLiteBackend, known: list[int]) -> int:
    """Return the process that has taken the place of ``known`` ones."""
    for _ in range(600):
        if graph.pid is not None and graph.pid not in known:
            return graph.pid
        time.sleep(0.1)
    raise AssertionError("no process was started anew")


def test_answers_are_arrays_of_their_own(predictor: Predictor, build_network) -> None:
    graph, rng = backend(predictor), np.random.default_rng(4)
    tensors = [rng.standard_normal((1, 3, 64, 48)).astype(np.float32) for _ in range(4)]
    outputs = [graph.run(tensor) for tensor in tensors]
    tensors[0][:] = 0  # nobody looks at it any more
    network = build_network(factor=200.0)
    for tensor, output in zip(tensors[1:], outputs[1:], strict=True):
        assert output.flags.owndata or output.base.flags.owndata
        np.testing.assert_allclose(output[:, 1], person(network, tensor), atol=1e-4)


def test_a_process_ends_with_its_predictor(exported: Path) -> None:
    predictor = Predictor.load(exported, backend="paddlelite")
    pid = backend(predictor).pid
    assert pid is not None and Path(f"/proc/{pid}").exists()
    del predictor
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.05)
    pytest.fail("the process lives on")


def test_a_damaged_file_is_told(lite_python, tmp_path: Path) -> None:
    (tmp_path / "x86.nb").write_bytes(b"\x02\x00no model" * 20)
    with pytest.raises(UserError, match=r"Paddle Lite cannot load '.*x86.nb': SIG"):
        PaddleLiteBackend(lite_python, tmp_path / "x86.nb", 1)


def test_a_wrong_shape_does_not_hang(predictor: Predictor) -> None:
    with pytest.raises(UserError, match="Paddle Lite"):
        backend(predictor).run(np.zeros((3, 64), np.float32))
    assert np.isfinite(backend(predictor).run(np.zeros((1, 3, 64, 48), np.float32))).all()


def test_without_the_environment(exported: Path, build_network, transforms, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(environment.PYTHON_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(UserError, match="make lite-env"):
        Predictor.load(exported, backend="paddlelite")
    with pytest.raises(UserError, match=r"format paddlelite needs .*PADDLE_LITE_PYTHON names .*make lite-env"):
        export_model(build_network(), transforms, tmp_path / "e", ["paddlelite"])


def test_an_environment_with_another_numpy_is_found_out(exported: Path, lite_python, tmp_path, monkeypatch) -> None:
    """A tensor that reads back other numbers than it was given is what numpy 2 does to Paddle Lite."""
    worker = process.WORKER.read_text(encoding="utf-8")
    broken = worker.replace("given.from_numpy(tensor)", "given.from_numpy(tensor + 1)")
    assert broken != worker
    (tmp_path / "worker.py").write_text(broken, encoding="utf-8")
    monkeypatch.setattr(process, "WORKER", tmp_path / "worker.py")
    graph = PaddleLiteBackend(lite_python, exported / "paddlelite/x86.nb", 1)
    with pytest.raises(UserError, match=r"does not get the numbers .* needs numpy < 2"):
        graph.run(np.zeros((1, 3, 64, 48), np.float32))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("[I] loading\n[F 9/2 x.cc] Check failed: no kernel\n*** stack", "[F 9/2 x.cc] Check failed: no kernel"),
        ("\x1b[31mSegmentation fault\x1b[0m\n\n", "Segmentation fault"),
        ("", "it said nothing"),
    ],
)
def test_last_words(said: str, expected: str) -> None:
    assert process.last_words(said) == expected


def test_making_the_environment_without_a_fitting_python(tmp_path: Path) -> None:
    (tmp_path / "python3.10").write_text("#!/bin/sh\nexit 1\n")  # a shim that does not run
    (tmp_path / "python3.10").chmod(0o755)
    surroundings = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "LITE_ENV": str(tmp_path / "env")}
    for chosen in ({"LITE_PYTHON": str(tmp_path / "python3.10")}, {"LITE_PYTHON": "/nowhere/python"}):
        done = subprocess.run(
            ["sh", str(ROOT / ".ci/make_lite_env.sh")],
            env={**surroundings, **chosen},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 3
        assert "Python 3.10 or 3.8" in done.stderr or "wheels for Linux on x86_64 only" in done.stderr
        assert not (tmp_path / "env").exists()


def backend(predictor: Predictor) -> PaddleLiteBackend:
    """Return what runs a predictor's graph."""
    found = predictor._backend
    assert isinstance(found, PaddleLiteBackend)
    return found
