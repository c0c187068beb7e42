"""Released models by name, and where their files are. Knows no network and imports no runtime."""

from __future__ import annotations

import os
from pathlib import Path

from paddle_portrait.console import logger
from paddle_portrait.errors import UnknownNameError, UserError, describe_unknown
from paddle_portrait.zoo.released import check_file, released

NAMES = (
    # of other authors, converted
    "mediapipe_selfie_general",
    "mediapipe_selfie_landscape",
    "slimnet_512",
    "mnv3_small_256",
    "sinet_320",
    "sinet_eg1800_224",
    "extremec3_224",
    "prisma_net_256",
    "prisma_trinet_256",
    "likeunet_dark_light",
    "deeplab_mnv2_513",
    "mobile_unet_bilinear_128",
    "humanseg_lite_2020",
    # trained here
    "tiny",
    "lite",
    "lite_398x224",
    "mobile",
    "highres",
    "video",
)

# What tools use when no model is named: the first of these that is there.
DEFAULTS = ("lite", "mediapipe_selfie_general")

# An installed package has the files in itself (setup.py), a clone beside itself.
_INSTALLED = Path(__file__).resolve().parent / "files"
_ROOT = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).resolve().parents[2]


def export_directory(name: str) -> Path:
    """Return where the export of released model ``name`` belongs, whether it is there or not."""
    return _ROOT / "export_model" / name


def weights_file(name: str) -> Path:
    """Return where the weights of released model ``name`` belong, whether they are there or not."""
    return _ROOT / "pretrained_model" / name / "model.pdparams"


def find_config(name: str) -> Path:
    """Return the YAML of released model ``name``.

    Raises:
        UserError: no such name, it is not released, or there is no repository around this package.
    """
    if name not in NAMES:
        raise UnknownNameError(describe_unknown("zoo name", name, NAMES))
    _require_released(name)
    path = _ROOT / released()[name].config
    if not path.is_file():
        raise UserError(f"the config of '{name}', {path}, is missing: name one, or work in a clone of the repository.")
    return path


def config_for(config: str | None, model_path: str | None) -> str:
    """Return the config that ``--config`` and ``--model_path`` name: a released model brings its own.

    Raises:
        UserError: neither names one, or the weights are nowhere.
    """
    if model_path is not None:
        _refuse_unknown("file or folder", model_path)
    if config is not None:
        return config
    if model_path in released():
        return str(find_config(str(model_path)))
    what = "--config is missing" if model_path is None else f"--model_path needs --config: whose are '{model_path}'"
    raise UserError(f"{what}? Name the YAML of the network. Only a released model, by its zoo name, brings its own.")


def find_export(directory_or_name: str | os.PathLike[str]) -> Path:
    """Return the exported directory that a path or a zoo name means; a directory of that name goes first.

    The files of a released model are compared with their sums.

    Raises:
        UserError: there is no such directory, and the zoo has no such name or not its files, or they are damaged.
    """
    path = Path(directory_or_name)
    if path.is_dir():
        return path
    name = str(directory_or_name)
    if name in NAMES:
        return _released_export(name)
    if path.exists():
        raise UserError(f"'{path}' is a file; give the exported directory, the one that holds deploy.yaml.")
    _refuse_unknown("directory", name)
    raise UserError(f"no directory '{path}'. Give a directory made by tools/export.py, or a zoo name.")


def _refuse_unknown(what: str, name: str) -> None:
    """Refuse what can only be a zoo name, as it has neither separator nor ending, and is none."""
    path = Path(name)
    if name and path.name == name and not path.suffix and name not in NAMES and not path.exists():
        raise UnknownNameError(f"no {what} '{name}' here, and {describe_unknown('zoo name', name, NAMES)}")


def find_weights(path_or_name: str | os.PathLike[str]) -> Path:
    """Return the weights that a path or a zoo name means; what exists under that path goes first.

    Raises:
        UserError: it is no path and no zoo name; or the zoo has the name, but not its weights, or they are damaged.
    """
    path, name = Path(path_or_name), str(path_or_name)
    _refuse_unknown("weights", name)
    if path.exists() or name not in NAMES:
        return path
    weights = weights_file(name)
    if not weights.is_file():
        _require_released(name)
        raise UserError(
            f"the weights of released model '{name}' are not here: '{weights}' is missing. Fetch them with "
            f"'python pretrained_model/download_pretrained_model.py {name}', or convert the original's with "
            f"'python tools/convert_checkpoint.py {name}'."
        )
    if name in released():
        check_file(name, weights, released()[name].weights)
    else:
        logger.warning("'%s' is in no table of released files: '%s' is not compared with a sum", name, weights)
    return weights


def released_name(weights: str | os.PathLike[str]) -> str | None:
    """Return the zoo name of released weights, named so or by the path of their file or folder; None for others."""
    path = find_weights(weights).resolve()
    own = {weights_file(name).resolve(): name for name in released()}
    return own.get(path) or own.get(path / "model.pdparams")


def _require_released(name: str) -> None:
    """Refuse a name that is only reserved: advice on how to get its files would lead nowhere."""
    if name not in released():
        raise UserError(
            f"'{name}' is a name kept for a model that is not released yet. Released: {', '.join(released())}."
        )


def default_export() -> Path:
    """Return the export that tools use when no model is named.

    Raises:
        UserError: none is there.
    """
    present = [name for name in DEFAULTS if export_directory(name).is_dir()]
    if not present:
        raise UserError(
            f"no model was named, and none of the default ones ({', '.join(DEFAULTS)}) is in "
            f"'{export_directory('')}'. Name a model: --model DIR, or --config CONFIG --model_path WEIGHTS."
        )
    return _released_export(present[0])


def _released_export(name: str) -> Path:
    directory = export_directory(name)
    if not directory.is_dir():
        _require_released(name)
        raise UserError(
            f"the export of released model '{name}' is not here: '{directory}' does not exist. Make it from "
            f"the weights: 'python tools/export.py --model_path {name} --output_op sigmoid --format onnx "
            f"--save_dir {directory}'."
        )
    if name in released():
        for file, expected in released()[name].export.items():
            check_file(name, directory / file, expected)
    else:
        logger.warning("'%s' is in no table of released files: '%s' is not compared with sums", name, directory)
    return directory
