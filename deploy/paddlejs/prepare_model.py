"""Put a released model where the page looks for it: public/model, with what every runtime and the check need."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from paddle_portrait.console import run_command
from paddle_portrait.errors import UserError

DEFAULT = "tiny"  # of the zoo's networks the one for browsers
_PUBLIC = Path(__file__).resolve().parent / "public"
_EXAMPLE_SEED, _EXAMPLE_HW = 8021, (720, 960)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Collect the files that the web page reads.")
    add = parser.add_argument
    add("model", nargs="?", default=DEFAULT, help=f"released model (default: {DEFAULT})")
    add("--to", type=Path, default=_PUBLIC, metavar="FOLDER", help="where to (default: the page's public folder)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _prepare(arguments.model, arguments.to))


def _prepare(name: str, public: Path) -> int:
    import yaml

    from paddle_portrait.inference.deploy_file import DEPLOY_FILE, DeployFile
    from paddle_portrait.zoo import find_export

    released = find_export(name)
    deploy = DeployFile.read(released)
    files = deploy.targets["onnx"]
    files.check(released)
    content = yaml.safe_load((released / DEPLOY_FILE).read_text(encoding="utf-8"))
    golden = ROOT / "tests" / "golden" / f"{name}.json"
    if deploy.takes_prior or not golden.is_file():
        raise UserError(f"'{name}' is not for the page: it takes the mask before, or has no golden file.")
    if _is_there(public, content):
        return 0
    model = public / "model"
    shutil.rmtree(model, ignore_errors=True)
    (model / "onnx").mkdir(parents=True)
    content["paddle_portrait"]["targets"].update(_export_paddlejs(name, content, model))
    shutil.copyfile(released / files.model, model / files.model)
    shutil.copyfile(golden, model / "golden.json")
    for notice in (*released.glob("LICENSE*"), *released.glob("NOTICE*")):
        shutil.copyfile(notice, model / notice.name)
    _write_example(public / "example.jpg")
    (model / "deploy.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"{model}: {name} for ONNX Runtime Web and Paddle.js")
    return 0


def _is_there(public: Path, content: dict[str, Any]) -> bool:
    """Tell whether the page already has that very export."""
    written = public / "model" / "deploy.json"
    if not written.is_file():
        return False
    there = json.loads(written.read_text(encoding="utf-8"))["paddle_portrait"]
    wanted = content["paddle_portrait"]
    return there["preprocess"] == wanted["preprocess"] and there["targets"]["onnx"] == wanted["targets"]["onnx"]


def _export_paddlejs(name: str, content: dict[str, Any], model: Path) -> dict[str, Any]:
    """Write ``model``/paddlejs from the released weights; return its entry of deploy.yaml."""
    import yaml

    from paddle_portrait.cli import export

    with tempfile.TemporaryDirectory() as folder:
        flags = ["--model_path", name, "--save_dir", folder, "--format", "paddlejs"]
        if export.main([*flags, "--output_op", content["Deploy"]["output_op"]]):
            raise UserError(f"'{name}' cannot be exported for Paddle.js; the reason is above.")
        exported = yaml.safe_load((Path(folder) / "deploy.yaml").read_text(encoding="utf-8"))["paddle_portrait"]
        if exported["preprocess"] != content["paddle_portrait"]["preprocess"]:
            raise UserError(f"'{name}' is released with other preprocessing than its config has; release it again.")
        shutil.copytree(Path(folder) / "paddlejs", model / "paddlejs")
    return {"paddlejs": exported["targets"]["paddlejs"]}


def _write_example(path: Path) -> None:
    """Write a generated portrait for those who want to try the page without a picture of their own."""
    from paddle_portrait.data.synthesis import render_portrait
    from paddle_portrait.preprocess import write_image

    write_image(path, render_portrait(_EXAMPLE_SEED, _EXAMPLE_HW)[0])


if __name__ == "__main__":
    sys.exit(main())
