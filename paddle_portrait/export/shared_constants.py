"""Equal constants of an ONNX graph, stored once: what runs twice carries its folded weights twice otherwise."""

from __future__ import annotations

from pathlib import Path


def share_equal_constants(path: Path) -> int:
    """Rewrite an ONNX file so that equal constants are stored once; return how many were left out.

    Those that the graph takes in or gives out stay apart, as a caller may set the former; and so does all where a
    branch or loop may read constants from within.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(path))
    graph = model.graph
    if any(attribute.HasField("g") or attribute.graphs for node in graph.node for attribute in node.attribute):
        return 0
    fixed = {value.name for value in [*graph.input, *graph.output]}
    first: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    renamed: dict[str, str] = {}
    for tensor in graph.initializer:
        if tensor.name in fixed:
            continue
        values = numpy_helper.to_array(tensor)
        name = first.setdefault((tensor.data_type, values.shape, values.tobytes()), tensor.name)
        if name != tensor.name:
            renamed[tensor.name] = name
    for node in graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = renamed.get(name, name)
    kept = [tensor for tensor in graph.initializer if tensor.name not in renamed]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    onnx.save(model, str(path))
    return len(renamed)
