"""Released models by name, and where their files are. Knows no network and imports no runtime."""

from __future__ import annotations

import os
from pathlib import Path

from paddle_portrait.errors import UnknownNameError, UserError, describe_unknown

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

_ROOT = Path(__file__).resolve().parents[2]


def export_directory(name: str) -> Path:
    """Return where the export of released model ``name`` belongs, whether it is there or not."""
    return _ROOT / "export_model" / name


def find_export(directory_or_name: str | os.PathLike[str]) -> Path:
    """Return the exported directory that a path or a zoo name means; a directory of that name goes first.

    Raises:
        UserError: there is no such directory, and the zoo has no such name or not its files.
    """
    path = Path(directory_or_name)
    if path.is_dir():
        return path
    name = str(directory_or_name)
    if name in NAMES:
        return _released(name)
    if path.exists():
        raise UserError(f"'{path}' is a file; give the exported directory, the one that holds deploy.yaml.")
    if path.name != name:  # it has a separator, so it was meant as a path
        raise UserError(f"no directory '{path}'. Give a directory made by tools/export.py, or a zoo name.")
    raise UnknownNameError(f"no directory '{name}' here, and {describe_unknown('zoo name', name, NAMES)}")


def find_weights(path_or_name: str | os.PathLike[str]) -> Path:
    """Return the weights that a path or a zoo name means; what exists under that path goes first.

    Raises:
        UserError: the zoo has the name, but not its weights.
    """
    path = Path(path_or_name)
    if path.exists() or str(path_or_name) not in NAMES:
        return path
    released = _ROOT / "pretrained_model" / path / "model.pdparams"
    if not released.is_file():
        raise UserError(f"the weights of released model '{path}' are not here: fetch them into '{released.parent}'.")
    return released


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
    return export_directory(present[0])


def _released(name: str) -> Path:
    directory = export_directory(name)
    if not directory.is_dir():
        raise UserError(
            f"released model '{name}' is not here: '{directory}' does not exist. Fetch or export it into that folder."
        )
    return directory
