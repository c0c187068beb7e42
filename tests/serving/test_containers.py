"""The container file, the compose file and the unit say what the repository has; nothing here can build them."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

from paddle_portrait.cli.serve import build_parser

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "deploy" / "server"
INSTRUCTIONS = {
    *("FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD"),
}


def instructions() -> list[tuple[str, str]]:
    """Return the container file's instructions, their continued lines joined."""
    text = re.sub(r"^#.*\n", "", (SERVER / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = [line for line in re.sub(r"\\\n\s*", " ", text).splitlines() if line.strip()]
    return [(name, rest) for name, rest in (line.split(" ", 1) for line in lines)]


def listed(text: str) -> list[str]:
    """Return a JSON list of words, the form of commands that starts no shell."""
    words = yaml.safe_load(text)
    assert isinstance(words, list)
    return words


def test_the_container_file_is_well_formed_and_not_root() -> None:
    found = instructions()
    names = [name for name, _ in found]
    assert set(names) <= INSTRUCTIONS and names[0] == "FROM"
    assert re.fullmatch(r"\S+:\d[\w.-]*", dict(found)["FROM"]), "the base image must have a version"
    assert dict(found)["USER"] != "root" and names.index("USER") < names.index("ENTRYPOINT")
    for source in (rest.split()[0] for name, rest in found if name == "COPY"):
        assert (ROOT / source).exists(), source


def test_what_it_copies_is_not_ignored() -> None:
    ignore = (SERVER / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    copied = {rest.split()[0].split("/")[0] for name, rest in instructions() if name == "COPY"}
    assert ignore[0] == "*" and {f"!{name}" for name in copied} <= set(ignore)


def test_its_command_and_those_of_compose_and_systemd_are_understood() -> None:
    found = dict(instructions())
    program = listed(found["ENTRYPOINT"])
    assert program[:3] == ["python", "-m", "deploy.server"]
    compose = yaml.safe_load((SERVER / "compose.yaml").read_text(encoding="utf-8"))["services"]["server"]
    unit = ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(SERVER / "paddle-portrait.service", encoding="utf-8")
    started = shlex.split(unit["Service"]["ExecStart"])
    assert started[1:3] == ["-m", "deploy.server"]
    for flags in (listed(found["CMD"]), compose["command"], started[3:]):
        build_parser().parse_args([*program[3:], *flags])


def test_stopping_is_given_the_time_that_it_takes() -> None:
    defaults = build_parser().parse_args([])
    needed = 5 + defaults.stop_timeout_s  # the units drain for 5 s
    compose = yaml.safe_load((SERVER / "compose.yaml").read_text(encoding="utf-8"))["services"]["server"]
    assert int(compose["stop_grace_period"].removesuffix("s")) > needed
    unit = (SERVER / "paddle-portrait.service").read_text(encoding="utf-8")
    assert int(re.search(r"TimeoutStopSec=(\d+)", unit)[1]) > needed  # type: ignore[index]
    assert (SERVER / compose["build"]["context"] / compose["build"]["dockerfile"]).is_file()


def test_the_container_installs_the_extra_and_bounds_of_the_package() -> None:
    def lines(text: str) -> dict[str, str]:
        found = (line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))
        return {re.split(r"[><=;]", line)[0]: line for line in found}

    container = lines((SERVER / "requirements.txt").read_text(encoding="utf-8"))
    package = lines((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    for name, line in container.items():
        assert package.get(name) == line or line in setup, line
    extra = re.search(r'"server": \[(.*?)\],\n', setup, re.DOTALL)[1]  # type: ignore[index]
    assert {name for name in re.findall(r"[\"']([a-z_-]+)>=", extra)} <= set(container)


def test_the_server_needs_nothing_that_the_container_lacks() -> None:
    left_out = ("paddle", "visualdl", "matplotlib", "scipy", "av", "rich", "jinja2", "paddleseg")
    modules = [f"paddle_portrait.serving.{path.stem}" for path in (ROOT / "paddle_portrait" / "serving").glob("*.py")]
    code = f"import sys; sys.modules.update(dict.fromkeys({left_out!r})); import importlib\n"
    code += f"for name in {[*modules, 'paddle_portrait.effects']!r}: importlib.import_module(name)\n"
    code += "from paddle_portrait.effects import describe_effects, EFFECTS; describe_effects()\n"
    code += "from paddle_portrait.inference import Predictor; Predictor.load('mediapipe_selfie_general', 'onnx')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--workers", "0"], "--workers is 0"),
        (["--max_body_mib", "nan"], "--max_body_mib is nan"),
        (["--fetch", "all"], "no, public, any"),
        (["--max_megapixels", "50"], "--max_megapixels_at_work"),
        (["--max_body_mib", "500"], "--max_waiting_mib"),
        (["--model", "no_such_model"], "no_such_model"),
        (["--token_file", "/no/such/file"], "--token_file"),
        (["--smoothing", "magic"], "magic"),
        (["--page", "/no/such/folder"], "index.html"),
    ],
)
def test_wrong_settings_are_told_before_anything_starts(
    flags: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main = importlib.import_module("paddle_portrait.cli.serve").main
    assert main(flags) == 2
    assert says in capsys.readouterr().err
