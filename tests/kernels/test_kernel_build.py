"""The build on the user's machine: once for all processes, sound or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("filelock")

# The build with one small operator in place of ours: the same road, a few seconds long.
_SOURCE = """
#include "paddle/extension.h"
std::vector<paddle::Tensor> same(const paddle::Tensor& x) { return {x}; }
PD_BUILD_OP(portrait_test_same).Inputs({"X"}).Outputs({"Y"}).SetKernelFn(PD_KERNEL(same));
"""
_BUILD = """
import sys
from pathlib import Path
from paddle_portrait.kernels import build
build.SOURCES = Path(sys.argv[1])
try:
    print("built", build.built_library())
except build.BuildError as error:
    print("failed", error)
"""
_TRAIN = """
import paddle
from paddle import nn
from paddle_portrait import kernels
from paddle_portrait.console import setup_logging
setup_logging()
net = kernels.accelerate(nn.Sequential(nn.Conv2D(3, 4, 1), nn.BatchNorm2D(4)))
for _ in range(2):
    net(paddle.randn([2, 3, 8, 8])).sum().backward()
print("trained", net[0].weight.grad is not None)
"""


@pytest.fixture()
def sources(tmp_path: Path) -> Path:
    (tmp_path / "csrc").mkdir()
    (tmp_path / "csrc" / "same.cc").write_text(_SOURCE)
    return tmp_path / "csrc"


def start(script: str, cache: Path, *arguments: object, path: str | None = None) -> subprocess.Popen[str]:
    environment = os.environ | {"PADDLE_PORTRAIT_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    if path is not None:
        environment["PATH"] = path
    command = [sys.executable, "-W", "ignore", "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    out, errors = process.communicate(timeout=280)
    assert process.returncode == 0, errors
    return out, errors


def broken_tools(tmp_path: Path) -> str:
    """Return a PATH with compilers that fail, and that note each call but the question for their version."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("gcc", "g++"):
        note = f'case "$*" in --version) ;; *) echo "$@" >> {tools}/calls ;; esac'
        (tools / name).write_text(f"#!/bin/sh\n{note}\necho broken compiler\nexit 1\n")
        (tools / name).chmod(0o755)
    return f"{tools}:/usr/bin:/bin"


def test_two_processes_build_once_and_damage_is_mended(sources: Path, tmp_path: Path) -> None:
    if not any((Path(folder) / "g++").exists() for folder in os.environ["PATH"].split(os.pathsep)):
        pytest.skip("no compiler")
    cache = tmp_path / "cache"
    both = [start(_BUILD, cache, sources) for _ in range(2)]
    outputs = [finish(process) for process in both]
    libraries = {out.split()[-1] for out, _ in outputs}
    assert len(libraries) == 1
    library = Path(libraries.pop())
    sound = library.read_bytes()
    assert not list(library.parent.glob("build-*")), "the scratch directory stayed"
    assert "Compiling" not in "".join(out for out, _ in outputs)

    library.write_bytes(sound[: len(sound) // 2])  # a full disk, a killed process
    finish(start(_BUILD, cache, sources))
    assert len(library.read_bytes()) == len(sound)

    before = library.stat().st_mtime_ns
    finish(start(_BUILD, cache, sources))
    assert library.stat().st_mtime_ns == before, "a sound library was built again"


def test_changed_sources_are_another_build(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from paddle_portrait.kernels import build

    monkeypatch.setattr(build, "SOURCES", sources)
    before = build.build_key()
    (sources / "same.cc").write_text(_SOURCE + "// changed")
    assert build.build_key() != before


@pytest.mark.parametrize(
    ("variable", "value"), [("CXX", "g++ -m64"), ("CC", "gcc -m64"), ("CFLAGS", "-O1"), ("LDFLAGS", "-s")]
)
def test_another_compiler_and_other_flags_are_another_build(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paddle_portrait.kernels import build

    for name in (*build.COMPILERS, *build.FLAG_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    try:
        before = build.build_key()
    except build.BuildError as error:
        pytest.skip(str(error))
    monkeypatch.setenv(variable, value)
    assert build.build_key() != before


def test_without_a_compiler_training_takes_the_stock_path_and_says_so_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    out, errors = finish(start(_TRAIN, tmp_path / "cache", path=str(tmp_path / "empty")))
    assert "trained True" in out
    said = [line for line in errors.splitlines() if "CPU kernels" in line]
    assert len(said) == 1
    assert "no C++ compiler: 'gcc' is not on PATH" in said[0]


def test_a_failing_compiler_is_reported_with_its_log(sources: Path, tmp_path: Path) -> None:
    out, _ = finish(start(_BUILD, tmp_path / "cache", sources, path=broken_tools(tmp_path)))
    assert out.startswith("failed the compiler failed; after 60 minutes or with another one it is tried again: see ")
    assert "broken compiler" in Path(out.split()[-1]).read_text()


def test_what_failed_is_not_compiled_again_until_its_time_is_over(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paddle_portrait.kernels import build

    monkeypatch.setattr(build, "SOURCES", sources)
    monkeypatch.setenv("PATH", broken_tools(tmp_path))
    monkeypatch.setenv("PADDLE_PORTRAIT_CACHE", str(tmp_path / "cache"))
    calls = tmp_path / "tools" / "calls"

    def log_of_failure() -> Path:
        with pytest.raises(build.BuildError, match="the compiler failed") as failure:
            build.built_library()
        return Path(str(failure.value).split()[-1])

    log = log_of_failure()
    once = calls.read_text()
    assert log_of_failure() == log and calls.read_text() == once
    long_ago = log.stat().st_mtime - 3700
    os.utime(log, (long_ago, long_ago))
    assert log_of_failure() == log and calls.read_text() != once


def test_on_is_an_error_where_they_cannot_be_built(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    script = "from paddle_portrait import console, kernels\n"
    script += "import sys; sys.exit(console.run_command(lambda: kernels.use_kernels('on')))"
    process = start(script, tmp_path / "cache", path=str(tmp_path / "empty"))
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "Set them to 'auto' or 'off'" in errors
    assert "Traceback" not in errors


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_cache_that_cannot_be_written_is_named(sources: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(stat.S_IREAD | stat.S_IEXEC)
    out, _ = finish(start(_BUILD, cache, sources))
    assert out.startswith(f"failed cannot write to {cache}")
