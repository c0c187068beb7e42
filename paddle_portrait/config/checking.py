"""Checks a config's tree against the sections of :mod:`schema` and the constructors of the registries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from paddle_portrait.config import schema
from paddle_portrait.config.fitting import describe, fit, items_that_misfit, literal_choices, mentions
from paddle_portrait.config.inheritance import merge
from paddle_portrait.config.nodes import Findings, Node, Path, Source, show
from paddle_portrait.config.rules import check_rules, find
from paddle_portrait.config.signatures import Argument, Signature, signature_of
from paddle_portrait.errors import UnknownNameError, UserError, nearest_name
from paddle_portrait.registry import CHILD_REGISTRIES, LOSSES, MODELS, OPTIMIZERS, SCHEDULES, TRANSFORMS, Registry

# Registries whose own components cost nothing to construct and touch no file.
_LIGHT = (TRANSFORMS, LOSSES, OPTIMIZERS, SCHEDULES)


def check_tree(root: Node, findings: Findings) -> None:
    """Check every key and value of a merged config, and give values the form that their types want.

    Args:
        root: the config's mapping; changed in place where ``fit`` makes a lossless change.
        findings: receives everything that is wrong.
    """
    _complete_num_classes(root)
    _check_top_level(root, findings)
    check_rules(root, findings)
    for index, stage in enumerate(_child_list(root, "stages")):
        _check_stage(root, stage, index, findings)


def _complete_num_classes(root: Node) -> None:
    """Give a network that does not say its number of classes that of the data, as PaddleSeg does."""
    model = root.entries.get("model", Node(None, root.source))
    kind = model.entries.get("type")
    if "num_classes" in model.entries or kind is None or not isinstance(kind.value, str) or kind.value not in MODELS:
        return
    if "num_classes" not in signature_of(MODELS.get(kind.value)).arguments:
        return
    for section in ("train_dataset", "val_dataset"):
        classes = find(root, (section, "num_classes"))
        if classes is not None:
            model.entries["num_classes"] = classes
            return


def _check_top_level(root: Node, findings: Findings) -> None:
    _report_unknown(root, (), schema.TOP_LEVEL, findings, "a config")
    for key, annotation in schema.SCALARS.items():
        _check_value(root, key, (key,), annotation, findings)
    for key, registry in schema.COMPONENTS.items():
        if key in root.entries and not _is_absent(root.entries[key]):
            _check_component(root.entries[key], (key,), registry, schema.RESERVED.get(key, {}), findings)
    for key, section in schema.SECTIONS.items():
        if key in root.entries and not _is_absent(root.entries[key]):
            _check_section(root.entries[key], (key,), section, findings)
    for index, term in enumerate(_checked_list(root, "objective", findings)):
        reserved = {name: a.annotation for name, a in signature_of(schema.ObjectiveTerm).arguments.items()}
        _check_component(term, ("objective", index), LOSSES, reserved, findings)
    for index, stage in enumerate(_checked_list(root, "stages", findings)):
        _check_section(stage, ("stages", index), schema.StageSection, findings)
        for key, section in schema.STAGE_SECTIONS.items():
            if not _is_absent(stage.entries.get(key, Node(None, stage.source))):
                _check_section(stage.entries[key], ("stages", index, key), section, findings)


def _check_section(node: Node, path: Path, section: type, findings: Findings) -> None:
    if not isinstance(node.value, dict):
        _report_misfit(node, path, dict, findings)
        return
    _check_arguments(node, path, signature_of(section), {}, findings, what=f"section '{path[0]}'")
    registry = {"loss": LOSSES, "export": TRANSFORMS}.get(str(path[0]))
    for key in ("types", "transforms"):
        if registry is not None and key in node.entries and isinstance(node.entries[key].value, list):
            _check_children(node.entries[key], (*path, key), registry, findings, many=True)


def _check_component(
    node: Node, path: Path, registry: Registry, reserved: Mapping[str, Any], findings: Findings
) -> None:
    """Check a mapping with a ``type`` against the constructor registered under that name."""
    kind = node.entries.get("type")
    if findings.is_partial and kind is None and node.entries and len(path) == 1:
        _check_untyped(node, path, findings)
        return
    if not isinstance(node.value, dict) or kind is None:
        have = f"has no key 'type'; its keys: {_words(node.entries)}" if node.entries else f"found {show(node.plain())}"
        findings.add(node.source, path, f"a {registry.kind} is a mapping with a key 'type'; {have}")
        return
    if not isinstance(kind.value, str):
        _report_misfit(kind, (*path, "type"), str, findings)
        return
    try:
        signature = signature_of(registry.get(kind.value))
    except UnknownNameError as error:
        findings.add(kind.source, (*path, "type"), str(error).rstrip("."))
        return
    known = len(findings.problems)
    _check_arguments(node, path, signature, reserved, findings, what=f"{registry.kind} '{kind.value}'")
    if len(findings.problems) == known and not findings.is_partial:
        _try_to_build(node, path, registry, reserved, findings)


def _try_to_build(node: Node, path: Path, registry: Registry, reserved: Mapping[str, Any], findings: Findings) -> None:
    """Construct a light component of this package, because only its constructor knows its ranges."""
    arguments = {key: value for key, value in node.plain().items() if key not in reserved}
    if registry not in _LIGHT or arguments["type"] not in registry.own_names():
        return
    if any(CHILD_REGISTRIES.get(key, TRANSFORMS) not in _LIGHT for key in arguments):
        return  # it is light, but has a network within
    try:
        registry.build_node(arguments)
    except (UserError, ValueError) as error:
        findings.add(node.entries["type"].source, path, str(error).rstrip("."))


def _check_untyped(node: Node, path: Path, findings: Findings) -> None:
    """Check what can be checked of a section whose type is in the file that builds on this one."""
    for key, child in node.entries.items():
        if key in CHILD_REGISTRIES and not _is_absent(child):
            _check_children(child, (*path, key), CHILD_REGISTRIES[key], findings, many=key.endswith("s"))


def _check_arguments(
    node: Node, path: Path, signature: Signature, reserved: Mapping[str, Any], findings: Findings, what: str
) -> None:
    ours = {key: Argument(key, annotation, False) for key, annotation in reserved.items()}
    arguments = {**signature.arguments, **ours}
    allowed = ["type", *arguments] if "type" in node.entries else list(arguments)
    if not signature.is_open:
        _report_unknown(node, path, allowed, findings, what)
    for key, child in list(node.entries.items()):
        if signature.is_open and key not in allowed and child.source.is_new:
            findings.add(child.source, (*path, key), f"{what} is not known to take this key; write it in the YAML")
        is_own_key = key == "type" and "type" not in arguments
        if is_own_key or (key not in arguments and not signature.is_open):
            continue
        argument = arguments.get(key, Argument(key, Any, False))
        registry = CHILD_REGISTRIES.get(key) if "type" in node.entries else None
        if registry is not None and _holds_components(node.entries[key], argument):
            _check_children(node.entries[key], (*path, key), registry, findings, many=key.endswith("s"))
        else:
            _check_value(node, key, (*path, key), argument.annotation, findings)
    for argument in arguments.values():
        if argument.required and argument.name not in node.entries:
            source = node.entries["type"].source if "type" in node.entries else node.source
            findings.add_missing(source, path, f"{what} needs the key '{argument.name}', which is missing")


def _holds_components(node: Node, argument: Argument) -> bool:
    """Whether a value must be built from mappings with a type, so that anything else in it is a mistake."""
    if isinstance(node.value, dict) or any(isinstance(item.value, dict) for item in node.items):
        return True
    is_empty = node.value is None or node.value == []
    return not is_empty and not mentions(argument.annotation, str)


def _check_children(node: Node, path: Path, registry: Registry, findings: Findings, many: bool) -> None:
    if not many:
        _check_component(node, path, registry, {}, findings)
        return
    if not isinstance(node.value, list):
        findings.add(node.source, path, f"takes a list, each item a {registry.kind}; found {show(node.plain())}")
    for index, item in enumerate(node.items):
        _check_component(item, (*path, index), registry, {}, findings)


def _check_value(parent: Node, key: str, path: Path, annotation: Any, findings: Findings) -> None:
    node = parent.entries.get(key)
    if node is None:
        return
    fitted = fit(node, annotation)
    if fitted is None:
        _report_misfit(node, path, annotation, findings)
    else:
        parent.entries[key] = fitted


def _report_misfit(node: Node, path: Path, annotation: Any, findings: Findings) -> None:
    if wrong := items_that_misfit(node, annotation):
        for index, part in wrong:
            _report_misfit(node.items[index], (*path, index), part, findings)
        return
    nearest = nearest_name(node.value, literal_choices(annotation)) if isinstance(node.value, str) else None
    hint = f"; did you mean '{nearest}'?" if nearest else ""
    findings.add(node.source, path, f"found {show(node.plain())}; takes {describe(annotation)}{hint}")


def _report_unknown(node: Node, path: Path, allowed: Iterable[str], findings: Findings, what: str) -> None:
    names = list(allowed)
    for key, child in node.entries.items():
        if key not in names:
            nearest = nearest_name(key, names)
            hint = f"; did you mean '{nearest}'?" if nearest else "."
            text = f"unknown key{hint} Allowed in {what}: {', '.join(names) or '(nothing)'}"
            findings.add(child.source, (*path, key), text + _inherited_hint(node, child.source))


def _inherited_hint(owner: Node, source: Source) -> str:
    kind = owner.entries.get("type")
    if kind is None or kind.source.name == source.name or source.line is None:
        return ""
    return f". The type is from {kind.source}; '_inherited_: False' beside it cuts it off from what its bases have"


def _check_stage(root: Node, stage: Node, index: int, findings: Findings) -> None:
    """Check the config that a stage trains with; what is wrong without the stage's overrides is known already."""
    overrides = stage.entries.get("overrides")
    if overrides is None or not isinstance(overrides.value, dict):
        return
    path: Path = ("stages", index, "overrides")
    if "stages" in overrides.value:
        findings.add(overrides.value["stages"].source, (*path, "stages"), "a stage cannot have stages")
        return
    plain = Node({key: child for key, child in root.entries.items() if key != "stages"}, root.source)
    before, after = Findings(findings.is_partial), Findings(findings.is_partial)
    _check_top_level(merge(overrides, plain), after)
    check_rules(merge(overrides, plain), after)
    _check_top_level(plain, before)
    check_rules(plain, before)
    for problem in after.problems:
        if problem not in before.problems:
            findings.add(problem.source, (*path, *problem.path), problem.text)


def _checked_list(root: Node, key: str, findings: Findings) -> list[Node]:
    node = root.entries.get(key)
    if node is not None and not isinstance(node.value, list) and not _is_absent(node):
        _report_misfit(node, (key,), list, findings)
    return _child_list(root, key)


def _child_list(root: Node, key: str) -> list[Node]:
    node = root.entries.get(key)
    return node.items if node is not None else []


def _is_absent(node: Node) -> bool:
    return node.value is None


def _words(names: Iterable[str]) -> str:
    return ", ".join(names) or "(none)"
