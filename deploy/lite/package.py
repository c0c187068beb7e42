"""Put a model where a phone's program looks for it: ``model.nb``, ``deploy.json``, and perhaps ``background.jpg``."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from paddle_portrait.console import run_command
from paddle_portrait.errors import UserError

_ASSETS = Path(__file__).resolve().parent / "android/app/src/main/assets"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Collect the files that the Android application and lite_portrait read."
    )
    add = parser.add_argument
    add("model", metavar="DIR", help="directory that was exported with --format paddlelite")
    add("--variant", default="arm", help="which file: arm, arm_fp16, arm_opencl, arm_int8, x86 (default: arm)")
    add("--to", type=Path, default=_ASSETS, metavar="FOLDER", help="where to (default: the application's assets)")
    add("--background", metavar="FILE", help="picture that the application's REPLACE filter shows")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _collect(arguments))


def _collect(arguments: argparse.Namespace) -> int:
    import yaml

    from paddle_portrait.inference.deploy_file import DEPLOY_FILE, DeployFile
    from paddle_portrait.preprocess import read_image, write_image

    source, target = Path(arguments.model), arguments.to
    files = DeployFile.read(source).targets.get("paddlelite")
    if files is None:
        raise UserError(f"'{source}' holds no paddlelite target. Export the model with: --format paddlelite")
    held = {"x86": files.model, **files.variants}
    if arguments.variant not in held:
        raise UserError(f"'{source}' holds no variant '{arguments.variant}'; it has: {', '.join(held)}.")
    files.check(source)
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / held[arguments.variant], target / "model.nb")
    content = yaml.safe_load((source / DEPLOY_FILE).read_text(encoding="utf-8"))
    (target / "deploy.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if arguments.background:
        write_image(target / "background.jpg", read_image(arguments.background))
    print(f"{target}: {', '.join(sorted(path.name for path in target.iterdir()))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
