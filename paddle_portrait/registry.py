"""Registries: what a YAML may name, one registry per kind of component.

Nothing is imported until a name is asked for. Names that this package does not define are looked up
in the installed ``paddleseg`` package, so that its networks, losses and transforms keep working by name.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from paddle_portrait.console import logger
from paddle_portrait.errors import UnknownNameError, UserError, describe_unknown

Factory = Callable[..., Any]


class Registry:
    """Components of one kind, by name.

    Args:
        kind: word for messages, such as ``"loss"``.
        modules: modules whose import registers this package's own components.
        paddleseg_manager: name of the matching manager in ``paddleseg.cvlibs.manager``, if there is one.
    """

    def __init__(self, kind: str, modules: tuple[str, ...], paddleseg_manager: str | None = None) -> None:
        self.kind = kind
        self._modules = modules
        self._paddleseg_manager = paddleseg_manager
        self._factories: dict[str, Factory] = {}
        self._announced: set[str] = set()
        self._loaded = False

    def register(self, *names: str) -> Callable[[Factory], Factory]:
        """Decorate a class or function to register it under ``names`` (default: its own name).

        Raises:
            ValueError: a name is already taken by another component.
        """

        def decorate(factory: Factory) -> Factory:
            for name in names or (factory.__name__,):
                if name in self._factories:
                    raise ValueError(f"{self.kind} '{name}' is registered twice: {self._factories[name]}, {factory}")
                self._factories[name] = factory
            return factory

        return decorate

    def own_names(self) -> list[str]:
        """Return the sorted names that this package itself defines."""
        self._load()
        return sorted(self._factories)

    def names(self) -> list[str]:
        """Return all names that resolve here, those of an installed ``paddleseg`` included."""
        return sorted({*self.own_names(), *self._paddleseg_components()})

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._factories or name in self._paddleseg_components()

    def get(self, name: str) -> Factory:
        """Return the class or function registered as ``name``.

        Raises:
            UnknownNameError: with the nearest name and all allowed ones.
        """
        self._load()
        if name in self._factories:
            return self._factories[name]
        foreign = self._paddleseg_components()
        if name in foreign:
            if name not in self._announced:
                self._announced.add(name)
                logger.info("%s '%s' comes from the installed paddleseg package", self.kind, name)
            return foreign[name]
        raise UnknownNameError(describe_unknown(self.kind, name, [*self._factories, *foreign]))

    def build(self, name: str, /, **arguments: Any) -> Any:
        """Construct the component ``name``; mappings with a ``type`` among ``arguments`` are built first.

        Raises:
            UserError: the arguments do not fit the constructor's signature.
        """
        factory = self.get(name)
        try:
            inspect.signature(factory).bind(**arguments)
        except TypeError as error:
            allowed = ", ".join(inspect.signature(factory).parameters) or "(none)"
            raise UserError(f"{self.kind} '{name}': {error}. Its arguments: {allowed}.") from None
        return factory(**{key: _build_children(key, value) for key, value in arguments.items()})

    def build_node(self, node: Mapping[str, Any]) -> Any:
        """Construct from a YAML mapping: ``type`` names the component, the rest are its arguments."""
        if "type" not in node:
            raise UserError(f"a {self.kind} needs a key 'type'; found only: {', '.join(map(str, node)) or 'nothing'}.")
        return self.build(node["type"], **{key: value for key, value in node.items() if key != "type"})

    def _load(self) -> None:
        if not self._loaded:
            self._loaded = True  # set first: the modules import this one
            for module in self._modules:
                importlib.import_module(module)

    def _paddleseg_components(self) -> Mapping[str, Factory]:
        if self._paddleseg_manager is None or importlib.util.find_spec("paddleseg") is None:
            return {}
        importlib.import_module("paddleseg")
        manager = importlib.import_module("paddleseg.cvlibs.manager")
        return getattr(manager, self._paddleseg_manager).components_dict


MODELS = Registry("model", ("paddle_portrait.models",), "MODELS")
BACKBONES = Registry("backbone", ("paddle_portrait.models",), "BACKBONES")
HEADS = Registry("head", ("paddle_portrait.models",))
DATASETS = Registry("data set", ("paddle_portrait.data.datasets",), "DATASETS")
TRANSFORMS = Registry("transform", ("paddle_portrait.data.transforms",), "TRANSFORMS")
LOSSES = Registry("loss", ("paddle_portrait.losses",), "LOSSES")
TEACHERS = Registry("teacher", ("paddle_portrait.losses", "paddle_portrait.engine.exported_teacher"))
METRICS = Registry("metric", ("paddle_portrait.metrics",))
OPTIMIZERS = Registry("optimizer", ("paddle_portrait.engine.optimizers",))
SCHEDULES = Registry("schedule", ("paddle_portrait.engine.schedules",))

# The registry in which a nested component is looked up, by the name of the argument that holds it.
CHILD_REGISTRIES: Mapping[str, Registry] = {
    "backbone": BACKBONES,
    "head": HEADS,
    "transforms": TRANSFORMS,
    "consistency_transforms": TRANSFORMS,
    "datasets": DATASETS,
    "dataset": DATASETS,
    "losses": LOSSES,
    "inner": LOSSES,
    "model": MODELS,
    "networks": MODELS,
    "teachers": TEACHERS,
}


def _build_children(argument: str, value: Any) -> Any:
    registry = CHILD_REGISTRIES.get(argument)
    if isinstance(value, Mapping) and "type" in value and registry is not None:
        return registry.build_node(value)
    if isinstance(value, list) and registry is not None:
        return [registry.build_node(item) if isinstance(item, Mapping) else item for item in value]
    return value
