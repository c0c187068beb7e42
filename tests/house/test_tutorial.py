"""The tutorial runs: its notebook is made from the page, and is executed here on thirty generated portraits."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# What makes a training of minutes one of seconds; flags of the command, given after the tutorial's own.
FEWER = "--iters 4 --save_interval 2 --batch_size 2"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """Return the script that makes the notebook."""
    spec = importlib.util.spec_from_file_location("make_tutorial_notebook", DOCS / "make_tutorial_notebook.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_notebook_is_made_from_the_page(maker: ModuleType) -> None:
    made = maker.as_text(maker.notebook((DOCS / "tutorial.md").read_text(encoding="utf-8")))
    assert (DOCS / "tutorial.ipynb").read_text(encoding="utf-8") == made, "run: python docs/make_tutorial_notebook.py"


def test_every_command_of_the_page_is_in_the_notebook(maker: ModuleType) -> None:
    page = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    sources = ["".join(cell["source"]) for cell in maker.notebook(page)["cells"] if cell["cell_type"] == "code"]
    commands = [line for line in page.splitlines() if line.startswith("python ")]
    assert len(commands) >= 8
    assert [command for command in commands if not any(command in source for source in sources)] == []


def clone(folder: Path) -> None:
    """Make ``folder`` look like the repository to the commands, without its data and outputs."""
    (folder / "data").mkdir(parents=True)
    for name in ("tools", "configs", "data/download_data.py"):
        (folder / name).symlink_to(ROOT / name)


def shortened(content: dict[str, Any]) -> dict[str, Any]:
    """Return the notebook with few iterations."""
    for cell in content["cells"]:
        cell["source"] = [
            f"{line.rstrip()} {FEWER}\n" if "tools/train.py" in line and cell["cell_type"] == "code" else line
            for line in cell["source"]
        ]
    return content


@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform == "win32", reason="the notebook's cells are of bash")
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="pip install nbclient ipykernel")
    nbclient = pytest.importorskip("nbclient", reason="pip install nbclient ipykernel")
    pytest.importorskip("ipykernel", reason="pip install nbclient ipykernel")
    clone(tmp_path / "clone")
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    content = shortened(json.loads((DOCS / "tutorial.ipynb").read_text(encoding="utf-8")))
    notebook = nbformat.reads(json.dumps(content), as_version=4)
    resources = {"metadata": {"path": str(tmp_path / "clone")}}
    nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3", resources=resources).execute()
    printed = "".join(str(output.get("text", "")) for cell in notebook.cells for output in cell.get("outputs", ()))
    assert "usable pictures: 30" in printed
    assert "exported to output/export: paddle, onnx" in printed
    written = tmp_path / "clone" / "output"
    assert len(list((written / "check").glob("*.png"))) == 2
    assert len(list((written / "pictures" / "overlay").iterdir())) == 30
    before, after = (json.loads((written / run / "report.json").read_text()) for run in ("before", "after"))
    assert before["images"] == after["images"] == 6
    assert before["miou"] > 0.7
    assert (written / "person.png").stat().st_size > 1000
