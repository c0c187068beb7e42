"""Imports point down, never up; and the inference road runs where Paddle is not installed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "paddle_portrait"

FLOOR = {"__init__", "cache", "environments", "errors", "console", "pictures"}
BASE = FLOOR | {"registry", "config", "preprocess", "zoo"}
LEARNING = {"models", "losses", "data", "metrics"}
USING = {"inference", "effects"}
SERVING = {"video", "serving"}

# What each room may import, beside itself.
MAY_IMPORT: dict[str, set[str]] = {
    **dict.fromkeys(FLOOR, FLOOR),
    **dict.fromkeys(BASE - FLOOR, BASE),
    "kernels": BASE,
    **dict.fromkeys(LEARNING, BASE | {"kernels"} | LEARNING),
    "convert": BASE | {"kernels"} | LEARNING,
    "engine": BASE | {"kernels", "convert", "inference"} | LEARNING,
    "export": BASE | {"kernels", "convert", "engine", "inference"} | LEARNING,
    **dict.fromkeys(USING, BASE | USING),
    **dict.fromkeys(SERVING, BASE | USING | SERVING),
    "report": BASE | {"kernels", "engine", "video"} | LEARNING | USING,
    "analysis": BASE | {"kernels", "engine", "export"} | LEARNING,
    "cli": BASE | {"kernels", "convert", "engine", "export", "report", "analysis"} | LEARNING | USING | SERVING,
}
# The back end that is Paddle; nothing imports it until it is asked for.
PADDLE_BACKEND = "paddle_portrait.inference.backends.paddle"
WITHOUT_PADDLE = ("preprocess", "inference", "zoo", "config", "registry", "effects", "video", "serving")


def imported_modules(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Yield (line, absolute dotted name) of every import in ``tree``, those inside functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*parents, *([node.module] if node.module else [])])
            # `from paddle_portrait import config` names the room only among what it imports.
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def room_of(dotted: str) -> str | None:
    """Return the room of a dotted module name, or None when it is not ours."""
    parts = dotted.split(".")
    if parts[0] != "paddle_portrait":
        return None
    is_room = len(parts) > 1 and ((PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").is_file())
    return parts[1] if is_room else "__init__"


def upward_imports(source: str, package: str, room: str) -> list[str]:
    """Return one line for each import in ``source`` that ``room`` may not make."""
    allowed = MAY_IMPORT[room] | {room}
    rooms = ((line, room_of(name)) for line, name in imported_modules(ast.parse(source), package))
    return [f"line {line}: {room} imports {other}" for line, other in rooms if other and other not in allowed]


def test_every_room_has_its_place_in_the_order() -> None:
    rooms = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms <= set(MAY_IMPORT), (
        f"say in this test and in CONTRIBUTING.md where these stand: {rooms - set(MAY_IMPORT)}"
    )


def test_imports_point_down() -> None:
    faults = []
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(ROOT).with_suffix("")
        package = ".".join(relative.parts[:-1])
        for fault in upward_imports(path.read_text(encoding="utf-8"), package, relative.parts[1]):
            faults.append(f"{relative}.py, {fault}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("room", "source", "faults"),
    [
        ("models", "from paddle_portrait.losses import x\nfrom paddle_portrait.config import y", 0),
        ("models", "from paddle_portrait.engine.trainer import Trainer", 1),
        ("models", "from paddle_portrait import engine, config", 1),
        ("models", "def late():\n    import paddle_portrait.export.onnx", 1),
        ("inference", "from ..models import output", 1),
        ("inference", "from .backends import onnx", 0),
        ("export", "from paddle_portrait.inference import Predictor", 0),
        ("engine", "import paddle_portrait.cli.train", 1),
    ],
)
def test_the_check_sees_each_form_of_import(room: str, source: str, faults: int) -> None:
    assert len(upward_imports(source, f"paddle_portrait.{room}", room)) == faults


@pytest.mark.parametrize("room", WITHOUT_PADDLE)
def test_rooms_of_the_inference_road_import_without_paddle(room: str) -> None:
    if not (PACKAGE / room).is_dir() and not (PACKAGE / f"{room}.py").is_file():
        pytest.skip(f"there is no {room} yet")
    modules = ["paddle_portrait." + room]
    modules += [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (PACKAGE / room).rglob("[!_]*.py")]
    modules = [name for name in modules if name != PADDLE_BACKEND]
    code = "import sys; sys.modules['paddle'] = None; import importlib\n"
    code += f"for name in {modules!r}: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
