"""Link a folder of real portrait data, kept beside the repository, into data/.

Usage: python data/link_shared_data.py [--source DIR] [--copy]

Data sets that are there become data/eg1800, data/picsart, … as symbolic links; where links are not allowed (Windows
without developer mode), they are copied. What is in data/ already is kept. A folder of released checkpoints of other
frameworks, `checkpoints` in that folder or beside it, becomes data/checkpoints.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paddle_portrait.console import logger, run_command
from paddle_portrait.errors import UserError

DATA = Path(__file__).resolve().parent
SOURCE = DATA.parents[1] / "shared" / "data"
NAMES = ("eg1800", "picsart", "backgrounds", "unlabelled_selfies", "videos", "checkpoints")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="link_shared_data.py", description="Link real portrait data into data/.")
    parser.add_argument("--source", type=Path, default=SOURCE, help="folder that holds them")
    parser.add_argument("--out", type=Path, default=DATA, help="where the links go (default: this folder)")
    parser.add_argument("--copy", action="store_true", help="copy instead of linking")
    return parser


def link(source: Path, target: Path, copy: bool) -> str:
    """Make ``target`` show ``source``; return what was done."""
    if target.is_symlink() and not target.exists():
        target.unlink()  # points to a folder that is gone
    if target.exists():
        return "kept"
    if not copy:
        try:
            target.symlink_to(os.path.relpath(source, target.parent.resolve()), target_is_directory=True)
            return "linked"
        except (OSError, ValueError):  # no right to make links, or another drive
            pass
    shutil.copytree(source, target)
    return "copied"


def find(source: Path, name: str) -> Path:
    """Return where ``name`` would be; checkpoints may lie beside the data sets."""
    inside = source / name
    return source.parent / name if name == "checkpoints" and not inside.is_dir() else inside


def link_all(source: Path, out: Path, copy: bool) -> int:
    """Link every known data set of ``source``, and the checkpoints, into ``out``."""
    present = [name for name in NAMES if find(source, name).is_dir()]
    if not present:
        raise UserError(
            f"'{source}' holds none of {', '.join(NAMES)}. Name the folder that does with --source DIR, or work "
            "with generated portraits: python data/download_data.py"
        )
    out.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        if name in present:
            logger.info("%s: %s", out / name, link(find(source, name), out / name, copy))
        else:
            logger.info("%s: not in %s, left out", name, source)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: link_all(arguments.source.resolve(), arguments.out, arguments.copy))


if __name__ == "__main__":
    sys.exit(main())
