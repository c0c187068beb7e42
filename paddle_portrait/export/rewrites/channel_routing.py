"""Channel shuffles folded into the weights around them.

Shuffling, splitting and joining only tell which channel goes where. The convolutions that make the channels put
them into an order in which everyone who reads takes whole runs, and the weights of those follow. What
remains is a split behind and a join before a convolution, instead of reshapes that bring all channels into new places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto
from onnx.reference import ReferenceEvaluator

from paddle_portrait.export.rewrites.channels import (
    change_makers,
    change_readers,
    makers_may_change,
    readers_may_change,
)
from paddle_portrait.export.rewrites.graph import Graph

_ROUTING = {"Concat", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}

Channel = tuple[str, int]


@dataclass
class _Routes:
    """Routing nodes that hang together.

    Attributes:
        nodes: the nodes.
        sources: tensors that enter them, with their channels.
        readings: tensors that leave them, with where each channel comes from.
    """

    nodes: list[NodeProto]
    sources: dict[str, int]
    readings: dict[str, list[Channel]]


def apply(graph: Graph) -> int:
    """Rewrite every group of routing nodes that shuffles; return how many there were."""
    places = 0
    for nodes in _groups(graph):
        routes = _trace(graph, nodes)
        if routes is not None and _shuffles(routes) and _may_change(graph, routes):
            _rewrite(graph, routes)
            places += 1
    return places


def _groups(graph: Graph) -> list[list[NodeProto]]:
    """Return the routing nodes of the graph, those together that pass tensors to each other."""
    graph.model()  # brings the nodes into order
    groups: list[list[NodeProto]] = []
    for node in graph.nodes:
        if node.op_type not in _ROUTING:
            continue
        names = {*node.input, *node.output} - graph.stored.keys()
        touching = [g for g in groups if any(names.intersection((*each.input, *each.output)) for each in g)]
        groups = [g for g in groups if not any(g is each for each in touching)]
        groups.append([*(each for g in touching for each in g), node])
    return [sorted(group, key=lambda node: _position(graph, node)) for group in groups]


def _position(graph: Graph, node: NodeProto) -> int:
    return next(at for at, each in enumerate(graph.nodes) if each is node)


def _trace(graph: Graph, nodes: list[NodeProto]) -> _Routes | None:
    """Follow the channels by sending their numbers through the nodes; None where they do not stay whole."""
    made = {name for node in nodes for name in node.output}
    entering = [name for node in nodes for name in node.input if name not in made and name not in graph.stored]
    sources: dict[str, int] = {}
    values: dict[str, np.ndarray] = {}
    channels: list[Channel] = []
    for name in dict.fromkeys(entering):
        shape = graph.shape(name)
        if shape is None or len(shape) != 4 or not all(shape):
            return None
        sources[name] = int(shape[1] or 0)
        numbers = np.arange(len(channels), len(channels) + sources[name]).reshape(1, -1, 1, 1)
        values[name] = np.broadcast_to(numbers, [side or 0 for side in shape]).copy()
        channels += [(name, channel) for channel in range(sources[name])]
    for node in nodes:
        inputs = {name: values[name] if name in values else graph.stored[name] for name in node.input if name}
        values |= dict(zip(node.output, ReferenceEvaluator(node).run(None, inputs), strict=True))
    readings: dict[str, list[Channel]] = {}
    for name in made:
        if not any(all(reader is not node for node in nodes) for reader in graph.readers(name)):
            if name in graph.outputs:
                return None
            continue
        found = values[name]
        if found.ndim != 4 or (found != found[:1, :, :1, :1]).any():
            return None
        readings[name] = [channels[int(number)] for number in found[0, :, 0, 0]]
    return _Routes(nodes, sources, readings)


def _shuffles(routes: _Routes) -> bool:
    """Tell whether there is more than splitting and joining, which would stay as it is."""
    return any(node.op_type not in ("Concat", "Slice", "Split", "Identity") for node in routes.nodes)


def _may_change(graph: Graph, routes: _Routes) -> bool:
    inside = {id(node) for node in routes.nodes}
    for name in routes.sources:
        others = [node for node in graph.readers(name) if id(node) not in inside]
        if others or name in graph.outputs or not makers_may_change(graph, name):
            return False
    once = all(len(set(reading)) == len(reading) for reading in routes.readings.values())
    return once and all(readers_may_change(graph, name) for name in routes.readings)


def _rewrite(graph: Graph, routes: _Routes) -> None:
    """Order each source by who reads its channels, and let everyone read whole runs."""
    runs: dict[str, list[str]] = {name: [] for name in routes.readings}
    orders: dict[str, list[Channel]] = {name: [] for name in routes.readings}
    for source, count in routes.sources.items():
        by_readers: dict[tuple[str, ...], list[int]] = {}
        for channel in range(count):
            readers = tuple(name for name, reading in routes.readings.items() if (source, channel) in reading)
            by_readers.setdefault(readers, []).append(channel)
        names = [source] if len(by_readers) == 1 else [graph.new_name(f"{source}.run") for _ in by_readers]
        for run, (readers, members) in zip(names, by_readers.items(), strict=True):
            for name in readers:
                runs[name].append(run)
                orders[name] += [(source, channel) for channel in members]
        if len(names) > 1:
            sizes = graph.store(np.array([len(members) for members in by_readers.values()], np.int64), "runs")
            graph.add("Split", [source, sizes], names, axis=1)
        change_makers(graph, source, [channel for members in by_readers.values() for channel in members])
    for name, reading in routes.readings.items():
        change_readers(graph, name, [reading.index(channel) for channel in orders[name]])
    graph.remove(routes.nodes)
    for name, parts in runs.items():
        if len(parts) > 1:
            graph.add("Concat", parts, [name], axis=1)
        else:
            _read_instead(graph, name, parts[0])
    graph.changed()


def _read_instead(graph: Graph, old: str, new: str) -> None:
    for node in graph.readers(old):
        for position, name in enumerate(node.input):
            if name == old:
                node.input[position] = new
