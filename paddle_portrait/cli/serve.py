"""``paddle-portrait-serve`` and ``python -m deploy.server``: the HTTP server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields

from paddle_portrait.console import run_command
from paddle_portrait.serving.settings import Settings


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line, made from the table of settings."""
    parser = argparse.ArgumentParser(
        prog="paddle-portrait-serve", description="Serve an exported model over HTTP; see docs/serving.md."
    )
    for one in fields(Settings):
        flag, text = f"--{one.name}", one.metadata["help"]
        if isinstance(one.default, bool):
            parser.add_argument(flag, action="store_true", help=text)
            continue
        shown = "" if one.default in ("", 0) else f" (default: {one.default})"
        parser.add_argument(flag, type=type(one.default), default=one.default, metavar="X", help=text + shown)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server until it is stopped."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _serve(arguments))


def _serve(arguments: argparse.Namespace) -> None:
    settings = Settings(**vars(arguments))

    from paddle_portrait.serving.run import serve

    serve(settings)


if __name__ == "__main__":
    sys.exit(main())
