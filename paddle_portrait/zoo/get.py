"""Getting a model by its name: of this zoo, whose sums are known, or of PaddleSeg, whose are not."""

from __future__ import annotations

from pathlib import Path

from paddle_portrait import zoo
from paddle_portrait.console import logger
from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.zoo.download import fetch, fetch_into
from paddle_portrait.zoo.published import Kind, published
from paddle_portrait.zoo.released import ReleasedFile, check_file, released

FOLDERS: dict[Kind, str] = {"weights": "pretrained_model", "export": "export_model"}
_WEIGHTS = "model.pdparams"


def own_names(kind: Kind) -> list[str]:
    """Return the names of this zoo; some have no export, only weights to make one from."""
    return sorted(name for name, entry in released().items() if kind == "weights" or entry.export)


def names(kind: Kind) -> dict[str, str]:
    """Return every name that can be got, with where it comes from."""
    return {**dict.fromkeys(own_names(kind), "of this zoo"), **published(kind)}


def get_released(kind: Kind, name: str, save_dir: Path, base_url: str | None) -> Path:
    """Make sure that a model of this zoo is in ``save_dir/NAME``, file for file; return that folder.

    Args:
        kind: its weights or its export.
        name: zoo name.
        save_dir: folder of folders.
        base_url: address under which a copy of the repository is served; None: nothing is fetched.

    Raises:
        UserError: files are missing or damaged and there is no address, the address gives others, or only weights
            were released.
    """
    entry = released()[name]
    if name not in own_names(kind):
        raise UserError(
            f"of '{name}' only the weights are released. Make the export from them: 'python tools/export.py "
            f"--model_path {name} --output_op sigmoid --format onnx --save_dir {save_dir / name}'."
        )
    files: dict[str, ReleasedFile] = {_WEIGHTS: entry.weights} if kind == "weights" else dict(entry.export)
    for file, expected in files.items():
        target = save_dir / name / file
        if base_url is None:
            check_file(name, target, expected)
        else:
            fetch(f"{base_url.rstrip('/')}/{FOLDERS[kind]}/{name}/{file}", target, expected.sha256)
    logger.info("%s: %d files, all with the released sums", save_dir / name, len(files))
    return save_dir / name


def get_published(kind: Kind, name: str, save_dir: Path, sha256: str | None, trust: bool) -> Path:
    """Fetch what PaddleSeg publishes into ``save_dir/NAME``; return that folder.

    Args:
        kind: weights or exported models.
        name: PaddleSeg's name.
        save_dir: folder of folders.
        sha256: checksum of the archive, where the caller knows it.
        trust: take the archive without a checksum.

    Raises:
        UserError: neither checksum nor trust, or it cannot be fetched or unpacked safely.
    """
    url = published(kind)[name]
    if sha256 is None and not trust:
        raise UserError(
            f"'{name}': PaddleSeg publishes no checksum of {url}. Give --sha256 SUM if you have one from somebody you "
            "trust, or --trust to take what the server sends. Unpacking stays inside the folder either way, and "
            "loading weights never runs code from them."
        )
    fetched = fetch_into(url, save_dir / name, sha256)
    logger.info("%s: %s", save_dir / name, "fetched" if fetched else "kept, it came from there")
    return save_dir / name


def get(kind: Kind, name: str, save_dir: Path, sha256: str | None, trust: bool, base_url: str | None) -> Path:
    """Get a model by any name, see :func:`get_released` and :func:`get_published`.

    Raises:
        UserError: there is no such name, too.
    """
    if name in released():
        return get_released(kind, name, save_dir, base_url)
    if name in published(kind):
        return get_published(kind, name, save_dir, sha256, trust)
    if name in zoo.NAMES:
        raise UserError(f"'{name}' is not released yet.")
    raise UserError(describe_unknown("model", name, names(kind)))
