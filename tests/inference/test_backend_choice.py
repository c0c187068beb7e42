"""``auto``: never a coarser precision than it must, the quickest of the rest, timed once and remembered."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from paddle_portrait.errors import UserError
from paddle_portrait.inference import Predictor, backends
from paddle_portrait.inference.backends import RUNTIMES, candidates, contest

ROOT = Path(__file__).resolve().parents[2]

pytest.importorskip("openvino")


@pytest.fixture
def two(make_export) -> Path:
    """An export for two runtimes; one convolution, so either may win."""
    import openvino

    folder = make_export(output_op="softmax")
    model = openvino.Core().read_model(str(folder / "model.onnx"))
    openvino.save_model(model, str(folder / "model.xml"), compress_to_fp16=False)
    deploy = yaml.safe_load((folder / "deploy.yaml").read_text())
    from paddle_portrait.preprocess import Preprocess

    deploy["paddle_portrait"] = {
        "version": 1,
        "preprocess": Preprocess.from_transforms(deploy["Deploy"]["transforms"]).to_dict(),
        "takes_prior": False,
        "targets": {"onnx": {"model": "model.onnx"}, "openvino": {"model": "model.xml", "params": "model.bin"}},
    }
    (folder / "deploy.yaml").write_text(yaml.safe_dump(deploy))
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("PADDLE_PORTRAIT_CACHE", str(folder))
    return folder / "backends"


@pytest.fixture
def log(caplog, monkeypatch):
    monkeypatch.setattr(contest.logger, "propagate", True)
    caplog.set_level(logging.INFO, "paddle_portrait")
    return caplog


def figures(cache: Path) -> dict[str, float]:
    (file,) = cache.glob("*.json")
    return json.loads(file.read_text())["ms"]


@pytest.mark.parametrize(
    ("held", "chosen"),
    [
        (["paddle", "onnx"], ["onnx"]),
        (["onnx_fp16", "onnx", "openvino_fp16"], ["onnx"]),
        (["onnx_fp16", "openvino"], ["openvino"]),
        (["onnx_fp16", "openvino_fp16"], ["onnx_fp16", "openvino_fp16"]),
        (["openvino", "onnx", "paddle_legacy"], ["onnx", "openvino"]),
        (["paddle_legacy", "onnx_fp16"], ["paddle_legacy"]),
        (["paddle_legacy", "paddle"], ["paddle"]),
    ],
)
def test_who_takes_part(held, chosen, monkeypatch):
    monkeypatch.setattr(backends.Runtime, "installed", lambda self: True)
    assert candidates(held) == chosen


def test_what_is_not_installed_takes_no_part(monkeypatch):
    monkeypatch.setattr(backends.Runtime, "installed", lambda self: self.needs == "openvino")
    assert candidates(["onnx", "openvino_fp16"]) == ["openvino_fp16"]
    with pytest.raises(UserError, match=r"no runtime .*pip install onnxruntime' or 'pip install MNN"):
        candidates(["onnx", "mnn"])


def test_it_is_timed_once_and_remembered(two, cache, log, monkeypatch):
    first = Predictor.load(two, threads=1)
    measured = figures(cache)
    assert set(measured) == {"onnx", "openvino"} and first.backend_name == min(measured, key=measured.get)
    assert f"back end {first.backend_name}, the quickest here" in log.text and "timed now" in log.text

    monkeypatch.setattr(contest, "hold", lambda *_: pytest.fail("timed again"))
    assert Predictor.load(two, threads=1).backend_name == first.backend_name
    assert "timed before" in log.text
    assert Predictor.load(two, "openvino").backend_name == "openvino"


def test_the_quicker_one_is_taken(two, cache, monkeypatch):
    for winner in ("onnx", "openvino"):
        monkeypatch.setattr(contest, "hold", lambda names, *_: {name: 1.0 + (name != winner) for name in names})  # noqa: B023
        assert Predictor.load(two, threads=1 if winner == "onnx" else 2).backend_name == winner


@pytest.mark.parametrize("what", ["threads", "model", "version", "processor"])
def test_it_is_timed_anew_when_something_changed(what, two, cache, monkeypatch):
    held = []
    monkeypatch.setattr(contest, "hold", lambda names, *_: held.append(names) or dict.fromkeys(names, 1.0))
    Predictor.load(two, threads=1)
    if what == "model":
        (two / "model.bin").write_bytes((two / "model.bin").read_bytes()[:-1] + b"\1")
    elif what == "version":
        monkeypatch.setattr(backends.Runtime, "version", lambda self: "another")
    elif what == "processor":
        monkeypatch.setattr(contest, "processor", lambda: "another")
    Predictor.load(two, threads=2 if what == "threads" else 1)
    Predictor.load(two, threads=2 if what == "threads" else 1)
    assert len(held) == 2


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "null", "3", "{}", "\x00\x01"),
        *('{"ms": {}}', '{"ms": 7}', '{"ms": {"paddle": 1}}', '{"ms": {"onnx": "quick"}}', '{"ms": {"onnx": -1.0}}'),
        '{"ms": {"onnx": NaN}}',
    ],
)
def test_a_damaged_cache_is_timed_anew(content, two, cache, log, monkeypatch):
    monkeypatch.setattr(contest, "hold", lambda names, *_: {name: 1.0 + (name == "onnx") for name in names})
    Predictor.load(two, threads=1)
    (file,) = cache.glob("*.json")
    sound = file.read_bytes()
    file.write_text(content)
    assert Predictor.load(two, threads=1).backend_name == "openvino"
    assert "is damaged" in log.text and file.read_bytes() == sound


def test_a_cache_of_bytes_that_are_no_text(two, cache, monkeypatch):
    monkeypatch.setattr(contest, "hold", lambda names, *_: dict.fromkeys(names, 1.0))
    Predictor.load(two, threads=1)
    (file,) = cache.glob("*.json")
    file.write_bytes(b"\xff\xfe\x80")
    Predictor.load(two, threads=1)
    assert json.loads(file.read_text())


def test_a_cache_that_cannot_be_written_is_no_error(two, tmp_path, log, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PADDLE_PORTRAIT_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(contest, "hold", lambda names, *_: {name: 1.0 + (name == "onnx") for name in names})
    assert Predictor.load(two, threads=1).backend_name == "openvino"
    assert "cannot be used" in log.text


def test_a_runtime_that_ends_its_process_is_left_out(two, cache, tmp_path, log, monkeypatch):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "openvino.py").write_text("import os\nos.abort()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    assert Predictor.load(two, threads=1).backend_name == "onnx"
    assert "back end openvino is left out: it ended its process" in log.text
    assert set(figures(cache)) == {"onnx"}


def test_the_one_that_ends_its_process_while_it_is_timed_is_left_out(two, cache, tmp_path, log, monkeypatch):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sitecustomize.py").write_text(
        "import os, onnxruntime\n"
        "class Session(onnxruntime.InferenceSession):\n"
        "    calls = 0\n"
        "    def run(self, *arguments):\n"
        "        Session.calls += 1\n"
        "        return os.abort() if Session.calls > 7 else super().run(*arguments)\n"
        "onnxruntime.InferenceSession = Session\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    assert Predictor.load(two, threads=1).backend_name == "openvino"  # which was loaded last
    assert "back end onnx is left out: it ended its process" in log.text
    assert set(figures(cache)) == {"openvino"}


def test_figures_that_are_complete_count_though_the_process_broke_at_its_end(two, cache, tmp_path, monkeypatch):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sitecustomize.py").write_text("import atexit, os\natexit.register(os.abort)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    Predictor.load(two, threads=1)
    assert set(figures(cache)) == {"onnx", "openvino"}


def test_a_runtime_that_cannot_read_its_files_is_left_out(two, cache):
    (two / "model.xml").write_text("no graph")
    assert Predictor.load(two, threads=1).backend_name == "onnx"
    assert set(figures(cache)) == {"onnx"}


def test_processes_that_start_at_once_time_once(two, cache):
    code = (
        f"from paddle_portrait.inference import Predictor; print(Predictor.load({str(two)!r}, threads=1).backend_name)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {process.communicate()[0].strip() for process in started}
    assert len(answers) == 1 and answers <= set(RUNTIMES)
    assert set(figures(cache)) == {"onnx", "openvino"}
