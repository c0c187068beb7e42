"""Figures of exported models: every back end that was asked for, and a profile whose shares are a whole."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from paddle_portrait.cli.benchmark import main
from paddle_portrait.errors import UserError
from paddle_portrait.inference.benchmark import as_table, benchmark
from paddle_portrait.inference.deploy_file import DeployFile, TargetFiles


def test_every_back_end_and_number_of_threads_gets_a_row(make_export):
    directory = str(make_export())
    figures = benchmark([directory], threads=(1, 2), turns=2)
    assert [(entry.backend, entry.threads) for entry in figures] == [("onnx", 1), ("onnx", 2)]
    for entry in figures:
        assert 0 < entry.p50_ms <= entry.p95_ms
        assert entry.load_ms > 0 and entry.memory_mb > 0
        assert entry.runtime.startswith("onnxruntime")
    assert sum(figures[0].shares.values()) == pytest.approx(1, abs=1e-3)
    assert {"Conv", "Softmax"} <= set(figures[0].shares)
    table = as_table(figures)
    assert table.count("onnxruntime") == 2 and "Conv" in table and "profiler" not in table
    assert figures[0].no_shares is None
    assert figures[1].shares is None and figures[1].no_shares.startswith("see 1 threads")


def test_int8_weights_have_a_profile_and_a_runtime_without_one_says_so(make_export, tmp_path, capsys):
    pytest.importorskip("MNN")
    directory = make_export()
    convert = [sys.executable, "-m", "paddle_portrait.export.mnn_child", "ONNX"]
    subprocess.run([*convert, str(directory / "model.onnx"), str(directory / "model.mnn")], check=True, timeout=120)
    entry = DeployFile.read(directory)
    entry.targets = {"onnx_int8_weights": TargetFiles("model.onnx"), "mnn": TargetFiles("model.mnn")}
    entry.write(directory)
    assert main([str(directory), "--turns", "1", "--json", str(tmp_path / "figures.json")]) == 0
    found = {one["backend"]: one for one in json.loads((tmp_path / "figures.json").read_text())}
    assert "Conv" in found["onnx_int8_weights"]["shares"] and found["onnx_int8_weights"]["no_shares"] is None
    assert found["mnn"]["shares"] is None and "no profiler" in found["mnn"]["no_shares"]
    assert "operators' shares in mnn: not measured" in capsys.readouterr().out


def test_what_cannot_be_measured_is_an_error(make_export):
    directory = str(make_export())
    with pytest.raises(UserError, match="has no 'paddle' target"):
        benchmark([directory], ["paddle"])


def test_the_command_writes_json(make_export, tmp_path, capsys):
    directory = str(make_export())
    assert main([directory, "--turns", "1", "--json", str(tmp_path / "deep/figures.json")]) == 0
    entries = json.loads((tmp_path / "deep/figures.json").read_text())
    assert [entry["backend"] for entry in entries] == ["onnx"]
    assert "p95 ms" in capsys.readouterr().out
    assert main([directory, "--threads", "one"]) != 0
    assert main([directory, "--turns", "0"]) != 0
