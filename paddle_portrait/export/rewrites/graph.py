"""An ONNX graph under rewriting: its nodes and stored arrays, who makes and who reads each tensor, and shapes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper, shape_inference

Shape = list[int | None]


class Graph:
    """A model's graph, open for changes.

    Args:
        model: of standard operators, without graphs inside nodes; it is left as it was.

    Attributes:
        nodes: in an order in which each stands behind those whose results it reads.
        stored: the stored arrays by name.
    """

    def __init__(self, model: ModelProto) -> None:
        self._model = ModelProto()
        self._model.CopyFrom(model)
        self.nodes = [_copy(node) for node in model.graph.node]
        self.stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.outputs = {value.name for value in model.graph.output}
        self._inputs = {value.name for value in model.graph.input}
        self._numbers = itertools.count()
        self._shapes: dict[str, Shape | None] | None = None

    def model(self) -> ModelProto:
        """Return the graph as a model, in order and without what no output depends on."""
        self._sort()
        self._drop_unused()
        model = ModelProto()
        model.CopyFrom(self._model)
        graph = model.graph
        for field in (graph.node, graph.initializer, graph.value_info):
            del field[:]
        graph.node.extend(self.nodes)
        graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in self.stored.items())
        return model

    def changed(self) -> None:
        """Tell that shapes may be others now."""
        self._shapes = None

    def maker(self, name: str) -> NodeProto | None:
        """Return the node that makes a tensor; None of inputs and stored arrays."""
        return next((node for node in self.nodes if name in node.output), None)

    def readers(self, name: str) -> list[NodeProto]:
        """Return the nodes that read a tensor, each once."""
        return [node for node in self.nodes if name in node.input]

    def shape(self, name: str) -> Shape | None:
        """Return a tensor's shape, None for sides that are not known; None where not even their number is."""
        if self._shapes is None:
            inferred = shape_inference.infer_shapes(self.model()).graph
            values = (*inferred.value_info, *inferred.input, *inferred.output)
            self._shapes = {value.name: _shape(value) for value in values}
        return self._shapes.get(name)

    def channels(self, name: str) -> int | None:
        """Return the size of a tensor's second axis."""
        shape = self.shape(name)
        return shape[1] if shape and len(shape) > 1 else None

    def store(self, values: np.ndarray, hint: str) -> str:
        """Store an array under a new name and return the name."""
        name = self.new_name(hint)
        self.stored[name] = np.ascontiguousarray(values)
        return name

    def new_name(self, hint: str) -> str:
        """Return a name that no tensor has."""
        taken = {name for node in self.nodes for name in (*node.input, *node.output)} | self.stored.keys()
        return next(name for n in self._numbers if (name := f"{hint}.{n}") not in taken)

    def add(self, kind: str, inputs: Iterable[str], outputs: Iterable[str], **attributes: Any) -> None:
        """Add a node; it finds its place by what it reads."""
        self.nodes.append(helper.make_node(kind, list(inputs), list(outputs), **attributes))

    def remove(self, nodes: Iterable[NodeProto]) -> None:
        """Take nodes out."""
        gone = {id(node) for node in nodes}
        self.nodes = [node for node in self.nodes if id(node) not in gone]

    def _sort(self) -> None:
        made = {name for node in self.nodes for name in node.output}
        waiting, ordered = self.nodes, list[NodeProto]()
        while waiting:
            ready = [node for node in waiting if not made.intersection(node.input)]
            if not ready:
                raise ValueError("nodes read each other's results in a circle")
            now = {id(node) for node in ready}
            made.difference_update(name for node in ready for name in node.output)
            ordered += ready
            waiting = [node for node in waiting if id(node) not in now]
        self.nodes = ordered

    def _drop_unused(self) -> None:
        needed, kept = set(self.outputs), list[NodeProto]()
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        self.nodes = kept[::-1]
        self.stored = {name: values for name, values in self.stored.items() if name in needed | self._inputs}


def attribute(node: NodeProto, name: str, default: Any = None) -> Any:
    """Return an attribute's value, text as str, or the default."""
    for one in node.attribute:
        if one.name == name:
            value = helper.get_attribute_value(one)
            return value.decode() if isinstance(value, bytes) else value
    return default


def _shape(value: Any) -> Shape | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return [side.dim_value if side.HasField("dim_value") else None for side in tensor.shape.dim]


def _copy(node: NodeProto) -> NodeProto:
    copied = NodeProto()
    copied.CopyFrom(node)
    return copied
