"""Released models exported to every runtime, kept between benchmarks below output/ (a git-ignored folder)."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _record import ROOT

FOLDER = ROOT / "output" / "benchmarks" / "exports"
FORMATS = ("paddle", "paddle_legacy", "onnx", "openvino", "mnn", "ncnn", "tflite", "paddlelite")
# The networks that every target is proved on; the other released ones may be named too.
NAMES = ("humanseg_lite_2020", "mnv3_small_256", "slimnet_512", "mediapipe_selfie_general", "sinet_320")
OUTPUT_OP = "sigmoid"


def exported(name: str, formats: Sequence[str] = FORMATS) -> tuple[Path, dict[str, str]]:
    """Export a released model to each format that can be made here.

    What an earlier benchmark exported from the same weights by the same code is taken as it is.

    Returns:
        The directory that holds all targets, and why the others are not there.
    """
    from paddle_portrait.zoo import weights_file
    from paddle_portrait.zoo.download import sha256_of

    folder = FOLDER / name
    stamp = {"weights": sha256_of(weights_file(name)), "formats": list(formats), "code": _code()}
    record = folder / "benchmark.json"
    if record.is_file():
        earlier = json.loads(record.read_text(encoding="utf-8"))
        if earlier["stamp"] == stamp:
            return folder, earlier["missing"]
    shutil.rmtree(folder, ignore_errors=True)
    missing = _export(name, folder, formats)
    record.write_text(json.dumps({"stamp": stamp, "missing": missing}), encoding="utf-8")
    return folder, missing


def _code() -> str:
    """Return a sum of the sources that decide what an export is."""
    package = ROOT / "paddle_portrait"
    files = sorted(path for room in ("export", "models") for path in (package / room).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _export(name: str, folder: Path, formats: Sequence[str]) -> dict[str, str]:
    from paddle_portrait import zoo
    from paddle_portrait.config import load_config
    from paddle_portrait.engine.trained import load_trained
    from paddle_portrait.errors import UserError
    from paddle_portrait.export import export_model

    config = load_config(str(zoo.find_config(name)))
    network = load_trained(config, name)
    try:
        export_model(network, config, folder, formats, OUTPUT_OP, channels=config.get("model.in_channels"))
    except UserError as error:  # one format that fails takes all of its export along
        print(f"{name}: {error}\n{name}: exporting one format after the other")
        return _export_each(network, config, folder, formats)
    return {}


def _export_each(network: Any, config: Any, folder: Path, formats: Sequence[str]) -> dict[str, str]:
    """Export one format after the other and join those that succeed; return why the others do not."""
    from paddle_portrait.errors import UserError
    from paddle_portrait.export import export_model
    from paddle_portrait.inference.deploy_file import DEPLOY_FILE, DeployFile

    missing: dict[str, str] = {}
    joined: DeployFile | None = None
    for each in formats:
        part = folder.with_name(f"{folder.name}.{each}")
        try:
            # The first of Paddle's two formats lies at the top: alone, the second would take the place of the first.
            export_model(network, config, part, ("paddle", each) if each == "paddle_legacy" else (each,), OUTPUT_OP)
        except UserError as error:
            missing[each] = str(error).replace(f"{ROOT}/", "")
            continue
        deploy = DeployFile.read(part)
        joined = joined or deploy
        joined.targets |= deploy.targets
        shutil.copytree(part, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(DEPLOY_FILE))
        shutil.rmtree(part)
    if joined is None:
        raise SystemExit(f"no format of {folder.name} could be exported: {missing}")
    joined.write(folder)
    return missing
