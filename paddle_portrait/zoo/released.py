"""The packaged table of released models: which config, licence and files belong to a zoo name, and their sums."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from paddle_portrait.errors import UserError
from paddle_portrait.zoo.download import sha256_of

TABLE = Path(__file__).with_name("released.json")
VERSION = 1


@dataclass(frozen=True)
class ReleasedFile:
    """Size and sum of one file, by which a damaged or exchanged one is told."""

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> ReleasedFile:
        """Measure a file."""
        return cls(path.stat().st_size, sha256_of(path))


@dataclass(frozen=True)
class Released:
    """One entry of the table.

    Attributes:
        config: YAML of the network, relative to the repository.
        licence: name of the licence of the weights.
        source: where they come from: an address, or the command that trained them.
        output_op: what the exported graph ends in.
        weights: ``model.pdparams`` of ``pretrained_model/NAME``.
        export: files of ``export_model/NAME``, by their path in it; none where only the weights are released.
    """

    config: str
    licence: str
    source: str
    output_op: str
    weights: ReleasedFile
    export: Mapping[str, ReleasedFile] = field(default_factory=dict)


def read_table(path: Path = TABLE) -> dict[str, Released]:
    """Read the table; without one nothing is released.

    Raises:
        UserError: the file is damaged or of another version.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != VERSION:
            raise ValueError(f"its version is {content['version']}, this program reads {VERSION}")
        return {name: _from_plain(entry) for name, entry in content["models"].items()}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"the table of released models '{path}' is damaged ({error}). Install again.") from None


@lru_cache(maxsize=1)
def released() -> dict[str, Released]:
    """Return the packaged table."""
    return read_table()


def write_entry(name: str, entry: Released, path: Path = TABLE) -> None:
    """Add a model to the table, or replace its entry."""
    table = {**read_table(path), name: entry}
    models = {key: asdict(table[key]) for key in sorted(table)}
    path.write_text(json.dumps({"version": VERSION, "models": models}, indent=1) + "\n", encoding="utf-8")


def check_file(name: str, path: Path, expected: ReleasedFile) -> None:
    """Make sure that a file is the released one.

    Raises:
        UserError: it is missing, or not the released one.
    """
    if not path.is_file():
        raise UserError(f"released model '{name}': '{path}' is missing. {_HOW_TO_GET}")
    found = ReleasedFile.of(path)
    if found != expected:
        raise UserError(
            f"released model '{name}': '{path}' is damaged or another file: {found.bytes} bytes with SHA-256 "
            f"{found.sha256}, released were {expected.bytes} bytes with {expected.sha256}. {_HOW_TO_GET} "
            "Files of your own are named by their path."
        )


_HOW_TO_GET = (
    "Get it again: 'git checkout' in a clone, or pretrained_model/download_pretrained_model.py and "
    "export_model/download_export_model.py."
)


def _from_plain(entry: dict[str, Any]) -> Released:
    files = {path: ReleasedFile(**file) for path, file in entry["export"].items()}
    return Released(**{**entry, "weights": ReleasedFile(**entry["weights"]), "export": files})
