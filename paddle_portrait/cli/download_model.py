"""``pretrained_model/download_pretrained_model.py`` and ``export_model/download_export_model.py``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paddle_portrait.console import run_command

if TYPE_CHECKING:
    from paddle_portrait.zoo.published import Kind

_WORDS = {"weights": "pretrained weights", "export": "exported models"}
_EPILOG = """
Models of this zoo come with the repository; here their files are compared with the released sums, or, with
--base_url, fetched from a copy of the repository. PaddleSeg's are fetched from its server, which publishes no
checksums: give --sha256, or --trust. A download that was cut off is continued.
"""


def build_parser(kind: Kind) -> argparse.ArgumentParser:
    """Return the parser of the command line for ``weights`` or ``export``."""
    parser = argparse.ArgumentParser(
        description=f"Get {_WORDS[kind]} by name.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="what to get (default: every model of this zoo)")
    add("--list", action="store_true", help="print all names and where they come from")
    add("--save_dir", metavar="DIR", help="folder that gets a folder NAME (default: the repository's)")
    add("--sha256", metavar="SUM", help="checksum of PaddleSeg's archive; for one NAME")
    add("--trust", action="store_true", help="take PaddleSeg's archives without a checksum")
    add("--base_url", metavar="URL", help="where a copy of this repository is served, for the models of this zoo")
    return parser


def main(kind: Kind, argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser(kind).parse_args(argv)
    return run_command(lambda: _get(kind, arguments))


def _get(kind: Kind, arguments: argparse.Namespace) -> int:
    from paddle_portrait.errors import UserError
    from paddle_portrait.zoo.get import FOLDERS, get, names, own_names

    if arguments.list:
        for name, source in names(kind).items():
            print(f"{name:<60} {source}")
        return 0
    if arguments.sha256 and len(arguments.names) != 1:
        raise UserError("--sha256 is the checksum of one archive: name one model.")
    save_dir = Path(arguments.save_dir or Path(__file__).resolve().parents[2] / FOLDERS[kind])
    for name in arguments.names or own_names(kind):
        print(get(kind, name, save_dir, arguments.sha256, arguments.trust, arguments.base_url))
    return 0
