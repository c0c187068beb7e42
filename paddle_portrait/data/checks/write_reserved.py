"""Writes ``reserved.json`` anew, from the lists of evaluation photos: see :mod:`reserved`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paddle_portrait.console import logger, run_command
from paddle_portrait.data.checks.reserved import RESERVED_FILE, fingerprint
from paddle_portrait.data.datasets.list_file import read_list
from paddle_portrait.errors import UserError


def describe_list(path: str | Path) -> dict[str, Any]:
    """Return the entry of ``reserved.json`` for a list whose names are relative to its own folder.

    Raises:
        UserError: the list or one of its photos is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such list file.")
    images = [image for image, _ in read_list(str(path), str(path.parent), " ", masks_optional=True)]
    missing = [image for image in images if not Path(image).is_file()]
    if missing:
        raise UserError(f"{path}: {len(missing)} of its photos do not exist, such as {missing[0]}.")
    # Folder and file as they are spelled: a link to the data may lead to a folder of another name.
    return {"name": "/".join(path.parts[-2:]), "images": sorted(map(fingerprint, images))}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description="Record the photos that no training set may hold.")
    parser.add_argument("lists", nargs="+", help="lists of evaluation photos, as folder/list.txt, each beside its data")
    parser.add_argument("--output", type=Path, default=RESERVED_FILE, help="file to write (default: %(default)s)")
    options = parser.parse_args(argv)

    def work() -> None:
        lists = [describe_list(path) for path in options.lists]
        content = {"version": 1, "lists": lists}
        options.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        logger.info("%d photos of %d lists", sum(len(entry["images"]) for entry in lists), len(lists))

    return run_command(work)


if __name__ == "__main__":
    sys.exit(main())
