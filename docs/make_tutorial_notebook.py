"""Make docs/tutorial.ipynb from docs/tutorial.md, so that page and notebook cannot say different things.

python docs/make_tutorial_notebook.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
PAGE, NOTEBOOK = DOCS / "tutorial.md", DOCS / "tutorial.ipynb"
_FENCE = re.compile(r"^```(bash|yaml|python)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
# Jupyter starts in the notebook's folder, the commands in the repository's.
_START = 'import os\n\nif os.path.isdir("../tools"):\n    os.chdir("..")\n'


def notebook(page: str) -> dict[str, Any]:
    """Return the notebook of a Markdown page: its blocks become cells that run, the text between them text."""
    cells = [_code(_START)]
    pieces = _FENCE.split(page)  # text, language, block, text, language, block, …, text
    for index in range(0, len(pieces), 3):
        if text := pieces[index].strip():
            cells.append({"cell_type": "markdown", "metadata": {}, "source": _lines(text)})
        if index + 2 < len(pieces):
            cells.append(_code(_runnable(*pieces[index + 1 : index + 3])))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def as_text(content: dict[str, Any]) -> str:
    """Return the notebook as it is stored."""
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _runnable(language: str, block: str) -> str:
    if language == "bash":
        return f"%%bash -e\n{block}"
    if language == "python":
        return block
    file, _, _ = block.removeprefix("# ").partition("\n")
    return f"%%writefile {file}\n{block}"


def _code(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": _lines(source)}


def _lines(text: str) -> list[str]:
    return text.rstrip("\n").splitlines(keepends=True)


if __name__ == "__main__":
    NOTEBOOK.write_text(as_text(notebook(PAGE.read_text(encoding="utf-8"))), encoding="utf-8")
    print(f"written: {NOTEBOOK}")
