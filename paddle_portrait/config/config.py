"""A checked config: from YAML files, ``--opts`` and flags to plain values that the registries can build."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from paddle_portrait.config import schema
from paddle_portrait.config.checking import check_tree
from paddle_portrait.config.inheritance import BASE_KEY, load_tree, merge
from paddle_portrait.config.nodes import ConfigError, Findings, Node, Problem, Source, parse_path
from paddle_portrait.config.overrides import apply_flags, apply_opts
from paddle_portrait.config.printing import dump_with_sources
from paddle_portrait.errors import UserError

Command = Literal["train", "val", "predict", "export"]


class Config:
    """What a run was asked to do: sections and settings by name, each value with the line it came from.

    Made by :func:`load_config`. ``config["model"]`` gives plain dicts, lists and scalars, copied, so that nobody
    changes another's config; ``MODELS.build_node(config["model"])`` builds from them.

    Attributes:
        path: the YAML file it was read from.
    """

    def __init__(self, path: str, root: Node) -> None:
        self.path = path
        self._root = root

    def __contains__(self, key: str) -> bool:
        return self._find(key) is not None

    def __getitem__(self, key: str) -> Any:
        """Return the value at the dotted path ``key``.

        Raises:
            UserError: the config has no such key.
        """
        node = self._find(key)
        if node is None:
            raise UserError(f"{self.path}: has no '{key}', which is needed here.")
        return node.plain()

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value at the dotted path ``key``, or ``default`` where it is missing or null."""
        node = self._find(key)
        return default if node is None or node.value is None else node.plain()

    def setting(self, name: str, default: Any = None) -> Any:
        """Return a setting that PaddleSeg's configs keep in ``train:``, ``global:`` or ``test:``.

        The top-level key ``name`` comes first, then those sections, then ``default``.
        """
        for key in (name, f"train.{name}", f"global.{name}", f"test.{name}"):
            if (value := self.get(key)) is not None:
                return value
        return default

    def component(self, section: str) -> dict[str, Any]:
        """Return ``section`` with only what its constructor takes (without ``final`` and the like)."""
        reserved = schema.RESERVED.get(section, {})
        return {key: value for key, value in self[section].items() if key not in reserved}

    def evaluation_options(self) -> dict[str, Any]:
        """Return how evaluation and prediction run the network: PaddleSeg's ``test``, overlaid with ``test_config``.

        Nulls are left out. A flag of a command line comes before these.
        """
        options = {**self.get("test", {}), **self.get("test_config", {})}
        return {key: value for key, value in options.items() if value is not None and key != "auc_roc"}

    def is_final(self, section: str) -> bool:
        """Whether the split ``section`` is marked ``final: true``: looked at once, with ``--final``."""
        return bool(self.get(f"{section}.final", False))

    def inference_transforms(self) -> list[dict[str, Any]]:
        """Return the transforms that a photo passes at inference: the ``export`` section's, else validation's."""
        for key in ("export.transforms", "val_dataset.transforms", "test_dataset.transforms"):
            if (transforms := self.get(key)) is not None:
                return list(transforms)
        raise UserError(f"{self.path}: has no transforms for inference. Give export.transforms or a val_dataset.")

    def for_stage(self, index: int) -> Config:
        """Return the config that stage ``index`` trains with: this one, overlaid with the stage's ``overrides``."""
        stage = self._root.entries["stages"].items[index]
        plain = Node({key: child for key, child in self._root.entries.items() if key != "stages"}, self._root.source)
        overrides = stage.entries.get("overrides", Node({}, stage.source))
        return Config(self.path, copy.deepcopy(merge(overrides, plain)))

    def to_dict(self) -> dict[str, Any]:
        """Return the whole config as plain values."""
        plain: dict[str, Any] = self._root.plain()
        return plain

    def where(self, key: str) -> str:
        """Return where the value at the dotted path ``key`` was written, such as ``base.yml:3``."""
        node = self._root
        for step in parse_path(key):
            node = node.child(step) or node
        return str(node.source)

    def require(self, command: Command) -> None:
        """Check that all sections are there which ``command`` cannot do without; the others may be missing.

        Raises:
            ConfigError: naming every missing one.
        """
        missing = [keys for keys in schema.NEEDS[command] if all(self.get(key) is None for key in keys)]
        if missing:
            text = "'{}' is missing, which {} needs"
            source = Source(self.path)
            raise ConfigError([Problem(source, (), text.format("' or '".join(keys), command)) for keys in missing])

    def dump_with_sources(self) -> str:
        """Return the resolved config as YAML, each value followed by the file and line it came from."""
        return dump_with_sources(self._root)

    def _find(self, key: str) -> Node | None:
        node: Node | None = self._root
        for step in parse_path(key):
            node = node.child(step) if node is not None else None
        return node


def load_config(path: str | Path, opts: Sequence[str] = (), overrides: Mapping[str, Any] | None = None) -> Config:
    """Read and check a config.

    In a file of a folder ``_base_``, which others build on, nothing has to be complete.

    Args:
        path: a YAML file in PaddleSeg's grammar and ours.
        opts: ``dotted.path=value`` from ``--opts``.
        overrides: dotted path to value from flags; None for a flag that was not given. They win over ``opts``.

    Returns:
        The config, with every key and value checked. Sections that no command at hand needs may be missing.

    Raises:
        ConfigError: one error that lists every mistake with its file and line.
    """
    findings = Findings(is_partial=Path(path).parent.name == BASE_KEY)
    root = load_tree(str(path), findings)
    if root is None:
        raise ConfigError(findings.problems)
    apply_opts(root, opts, findings)
    apply_flags(root, overrides or {}, findings)
    check_tree(root, findings)
    findings.raise_if_any()
    return Config(str(path), root)
