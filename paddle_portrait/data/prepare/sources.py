"""The sources by name; a source's module is imported when it is used."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from paddle_portrait.data.prepare.item import Source
from paddle_portrait.errors import UserError


def scan_source(kind: str, root: Path, out: Path, arguments: argparse.Namespace) -> Source:
    """Look through the folder of a source.

    Args:
        kind: name of the module in this package that knows the source.
        root: folder of the source.
        out: folder that the prepared set goes to; it may not lie where the source is looked for.
        arguments: flags of the source.

    Raises:
        UserError: the folder is another one, or ``out`` lies in it.
    """
    here, there = root.resolve(), out.resolve()
    if there == here or here in there.parents:
        raise UserError(f"--out {out} lies in the source {root}: a second run would take it for photos; name another.")
    source: Source = importlib.import_module(f"paddle_portrait.data.prepare.{kind}").scan(root, arguments)
    return source
