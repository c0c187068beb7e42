"""``deploy.yaml``: what an exported directory says about itself.

The ``Deploy`` section has PaddleSeg's keys, so that its tools read our exports and ours read its exports.
The ``paddle_portrait`` section adds what those keys leave open: the exact preprocessing, what the output
means, and the files of every target with their sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from paddle_portrait.console import logger
from paddle_portrait.errors import UserError
from paddle_portrait.inference.graph_form import PLAIN, GraphForm
from paddle_portrait.inference.outputs import OUTPUT_OPS
from paddle_portrait.preprocess import Preprocess
from paddle_portrait.zoo.download import sha256_of

DEPLOY_FILE = "deploy.yaml"
SECTION = "paddle_portrait"
VERSION = 2
_PLAIN_VERSION = 1  # knew plain graphs only, and its files say nothing of their form


@dataclass
class TargetFiles:
    """The files of one target, relative to the exported directory, with their sha256 sums.

    ``model`` is the graph; ``params`` its weights where the format keeps them apart; ``others`` what else belongs to
    it (further pieces of the weights); ``variants`` the same graph for other processors, by their names.
    A sum of "" means that none was recorded.
    """

    model: str
    params: str | None = None
    sha256: dict[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    variants: dict[str, str] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Return the relative paths of all files."""
        return [*self.own_names(), *self.variants.values()]

    def own_names(self) -> list[str]:
        """Return the relative paths of all files but those of variants."""
        return [name for name in (self.model, self.params, *self.others) if name is not None]

    def variant(self, name: str) -> TargetFiles:
        """Return the one file of variant ``name`` as a target."""
        file = self.variants[name]
        return TargetFiles(file, sha256={key: value for key, value in self.sha256.items() if key == file})

    def below(self, folder: str) -> TargetFiles:
        """Return the same files as seen from the directory that holds ``folder``; without sums."""
        prefix = f"{folder}/" if folder else ""
        return TargetFiles(
            prefix + self.model,
            None if self.params is None else prefix + self.params,
            others=tuple(prefix + name for name in self.others),
            variants={key: prefix + name for key, name in self.variants.items()},
        )

    def record_sums(self, directory: Path) -> None:
        """Fill in the sha256 sums of the files as they are now."""
        self.sha256 = {name: sha256_of(directory / name) for name in self.names()}

    def check(self, directory: Path) -> None:
        """Raise UserError when a file is missing or is not the one that was exported."""
        for name in self.names():
            path = directory / name
            if not path.is_file():
                raise UserError(f"'{path}' is missing, though {DEPLOY_FILE} names it. Export the model again.")
            expected = self.sha256.get(name)
            if expected and sha256_of(path) != expected:
                raise UserError(
                    f"'{path}' is not the file that was exported: its sha256 differs from the one in {DEPLOY_FILE}. "
                    "Files of two exports may be mixed; export the model again."
                )


@dataclass
class DeployFile:
    """Contents of ``deploy.yaml``.

    Attributes:
        preprocess: from image to input tensor.
        targets: files by target name, the preferred one first.
        transforms: PaddleSeg's list of transforms, which ``preprocess`` was made from.
        input_shape: N, C, H, W; -1 where any size goes. None: not said.
        output_op: ``"argmax"``, ``"softmax"``, ``"sigmoid"`` or ``"none"``; None: not said.
        output_dtype: numpy name of the output's type; None: not said.
        takes_prior: the last input channel is the person probability of the previous frame.
        form: how the graph's input and output depart from the plain ones.
    """

    preprocess: Preprocess
    targets: dict[str, TargetFiles]
    transforms: list[dict[str, Any]]
    input_shape: list[int] | None = None
    output_op: str | None = None
    output_dtype: str | None = None
    takes_prior: bool = False
    form: GraphForm = PLAIN

    def write(self, directory: Path) -> None:
        """Write ``directory/deploy.yaml``."""
        first = next(iter(self.targets.values()))
        content = {
            "Deploy": {
                "model": first.model,
                "params": first.params,
                "transforms": self.transforms,
                "input_shape": self.input_shape,
                "output_op": self.output_op,
                "output_dtype": self.output_dtype,
            },
            SECTION: {
                "version": VERSION,
                "preprocess": self.preprocess.to_dict(),
                "takes_prior": self.takes_prior,
                "form": self.form.to_dict(),
                "targets": {name: _target_to_dict(files) for name, files in self.targets.items()},
            },
        }
        text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, allow_unicode=True)
        (directory / DEPLOY_FILE).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, directory: Path) -> DeployFile:
        """Read ``directory/deploy.yaml``, ours or plain PaddleSeg's.

        Raises:
            UserError: the file is missing, is no YAML, or lacks or misuses a key.
        """
        path = directory / DEPLOY_FILE
        content = _load_yaml(path)
        deploy = _mapping(content, "Deploy", path)
        ours = _mapping(content, SECTION, path) if SECTION in content else None
        transforms = deploy.get("transforms") or []
        if ours is None:
            preprocess = Preprocess.from_transforms(transforms)
            targets = _guess_targets(deploy, path)
        else:
            if ours.get("version") not in (_PLAIN_VERSION, VERSION):
                raise UserError(
                    f"{path}: {SECTION}.version is {ours.get('version')!r}; this version reads {_PLAIN_VERSION} and "
                    f"{VERSION}. Export the model again, or use the version of paddle_portrait that wrote it."
                )
            preprocess = Preprocess.from_dict(_mapping(ours, "preprocess", path))
            targets = {
                name: _target_from_dict(name, files, path) for name, files in _mapping(ours, "targets", path).items()
            }
        return cls(
            preprocess=preprocess,
            targets=targets,
            transforms=transforms,
            input_shape=_input_shape(deploy.get("input_shape"), path),
            output_op=_output_op(deploy.get("output_op"), path),
            output_dtype=deploy.get("output_dtype"),
            takes_prior=bool(ours and ours.get("takes_prior", False)),
            form=GraphForm.from_dict((ours or {}).get("form") or {}, f"{path}: {SECTION}.form"),
        )


def _load_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"no {DEPLOY_FILE} in '{path.parent}': it is not an exported model. "
            "Export one with: python tools/export.py --config CONFIG --model_path WEIGHTS --save_dir DIR"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read '{path}': {error}.") from None
    except yaml.YAMLError as error:
        raise UserError(f"'{path}' is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"'{path}' holds no keys; it needs 'Deploy' with 'model', 'params' and 'transforms'.")
    return content


def _mapping(parent: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    value = parent.get(key)
    if not isinstance(value, dict) or not value:
        raise UserError(f"{path}: key '{key}' is missing or has nothing under it. Export the model again.")
    return value


def _target_to_dict(files: TargetFiles) -> dict[str, Any]:
    entry: dict[str, Any] = {"model": files.model}
    if files.params is not None:
        entry["params"] = files.params
    if files.others:
        entry["others"] = list(files.others)
    if files.variants:
        entry["variants"] = files.variants
    return {**entry, "sha256": files.sha256}


def _target_from_dict(name: str, entry: Any, path: Path) -> TargetFiles:
    if not isinstance(entry, dict) or not isinstance(entry.get("model"), str):
        raise UserError(f"{path}: {SECTION}.targets.{name} needs a key 'model' with a file name.")
    return TargetFiles(
        entry["model"],
        entry.get("params"),
        dict(entry.get("sha256") or {}),
        tuple(entry.get("others") or ()),
        dict(entry.get("variants") or {}),
    )


def _guess_targets(deploy: Mapping[str, Any], path: Path) -> dict[str, TargetFiles]:
    """Return the one target of a plain PaddleSeg export.

    PaddleSeg on Paddle 3 writes ``model.json`` while its deploy.yaml says ``model.pdmodel``.
    """
    named = str(deploy.get("model", "model.pdmodel"))
    stem = named.removesuffix(".pdmodel").removesuffix(".json")
    params = str(deploy.get("params", f"{stem}.pdiparams"))
    candidates = {named: None, f"{stem}.json": None, f"{stem}.pdmodel": None}
    found = next((name for name in candidates if (path.parent / name).is_file()), None)
    if found is None:
        raise UserError(f"{path} names the model '{named}', which is not in '{path.parent}'.")
    if found != named:
        logger.warning("%s names '%s', which is not there; using '%s'", path, named, found)
    if found.endswith(".onnx"):
        return {"onnx": TargetFiles(found)}
    return {"paddle" if found.endswith(".json") else "paddle_legacy": TargetFiles(found, params)}


def _input_shape(value: Any, path: Path) -> list[int] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 4:
        raise UserError(f"{path}: Deploy.input_shape is {value!r}; it must be four numbers N, C, H, W (-1: any).")
    return [-1 if size is None else int(size) for size in value]


def _output_op(value: Any, path: Path) -> str | None:
    if value is not None and value not in OUTPUT_OPS:
        raise UserError(f"{path}: Deploy.output_op is {value!r}; allowed: {', '.join(OUTPUT_OPS)}.")
    return value
