"""ONNX, converted from Paddle's present format by paddle2onnx."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paddle_portrait.export.child import run_converter
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.shared_constants import share_equal_constants
from paddle_portrait.export.targets import require_packages
from paddle_portrait.inference.deploy_file import TargetFiles

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

OPSET = 13
PLAIN = "plain.onnx"
_REWRITES_KEY = "rewrites"
_INSTALL = "pip install paddle2onnx onnx"


def write(job: ExportJob, folder: Path) -> TargetFiles:
    """Convert the job's PIR graph."""
    require_packages("onnx", ("paddle2onnx", "onnx"), _INSTALL)
    source, files = job.build("paddle")
    model, params = readable_copy(source, files, folder / "readable")
    result = folder / "converted.onnx"
    run_converter(
        "onnx", "paddle_portrait.export.onnx_child", [str(OPSET), str(model), str(params), str(result)], result
    )
    tidy(result, folder / PLAIN)
    if job.options.rewrites:
        quicken(folder / PLAIN, folder / "model.onnx")
    else:
        shutil.copyfile(folder / PLAIN, folder / "model.onnx")
    share_equal_constants(folder / "model.onnx")
    return TargetFiles("model.onnx")


def plain_graph(job: ExportJob) -> Path:
    """Return the job's ONNX file as converters and quantisers want it, without what only ONNX Runtime is quicker by."""
    return job.build("onnx")[0] / PLAIN


def quicken(source: Path, target: Path) -> None:
    """Write a graph that computes the same in less time, and note in it what was rewritten.

    Every rewrite is proved with ONNX Runtime. Without that package the graph stays as it is.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        shutil.copyfile(source, target)
        return
    import onnx

    from paddle_portrait.export.rewrites import rewrite

    model, applied = rewrite(onnx.load(str(source)))
    onnx.helper.set_model_props(model, {_REWRITES_KEY: json.dumps([asdict(each) for each in applied])})
    onnx.save(model, str(target))


def rewrites(folder: Path, files: TargetFiles) -> list[dict[str, Any]]:
    """Return what was rewritten in a graph: name, places and largest difference of each."""
    import onnx

    properties = {entry.key: entry.value for entry in onnx.load(str(folder / files.model)).metadata_props}
    return json.loads(properties.get(_REWRITES_KEY, "[]"))


def tidy(source: Path, target: Path) -> None:
    """Write a graph without what its converter leaves: identities, reshaped constants, biases added apart.

    ONNX Runtime's basic optimisation writes standard operators only. Without that package the graph stays as it is.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        shutil.copyfile(source, target)
        return
    import onnx

    from paddle_portrait.export.quantisation.graph import simplified

    model = simplified(source)
    _leave_out_defaults(model)
    _join_biases(model)
    onnx.save(model, str(target))


def _leave_out_defaults(model: ModelProto) -> None:
    """Leave out attributes that say what holds anyway: pnnx knows a resize by the attributes that it has."""
    import onnx

    for node in model.graph.node:
        schema = onnx.defs.get_schema(node.op_type, OPSET)
        defaults = {name: one.default_value for name, one in schema.attributes.items()}
        kept = [
            one
            for one in node.attribute
            if not defaults[one.name].type
            or onnx.helper.get_attribute_value(one) != onnx.helper.get_attribute_value(defaults[one.name])
        ]
        del node.attribute[:]
        node.attribute.extend(kept)


def _join_biases(model: ModelProto) -> None:
    """Make what is added to a transposed convolution its bias, which ONNX Runtime does for other convolutions alone."""
    from onnx import numpy_helper

    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for node in [node for node in graph.node if node.op_type == "ConvTranspose" and len(node.input) == 2]:
        behind = readers.get(node.output[0], [])
        if len(behind) != 1 or behind[0].op_type != "Add":
            continue
        names = [name for name in behind[0].input if name in stored and len(readers[name]) == 1]
        bias = numpy_helper.to_array(stored[names[0]]) if len(names) == 1 else np.zeros(0)
        groups = next((one.i for one in node.attribute if one.name == "group"), 1)
        # One value a channel, of a tensor that spreads along the sides of the image.
        if bias.shape[-2:] != (1, 1) or bias.size != stored[node.input[1]].dims[1] * groups:
            continue
        stored[names[0]].CopyFrom(numpy_helper.from_array(bias.reshape(-1), names[0]))
        node.input.append(names[0])
        node.output[0] = behind[0].output[0]
        graph.node.remove(behind[0])


def readable_copy(source: Path, files: TargetFiles, folder: Path) -> tuple[Path, Path]:
    """Write a copy of an export in Paddle's present format that paddle2onnx reads rightly; return model and params.

    Paddle ≥ 3.2 stores some floats (pad values, slopes, epsilons) as doubles, which paddle2onnx 2.1 reads as
    whatever lies in memory: no error, wrong answers (``tests/runtime_faults/paddle2onnx_double_attributes.py``). In the
    copy they are floats.
    """
    folder.mkdir()
    graph = (source / files.model).read_text(encoding="utf-8").replace("0.a_f64", "0.a_f32")
    (folder / "model.json").write_text(graph, encoding="utf-8")
    shutil.copyfile(source / "model.pdiparams", folder / "model.pdiparams")
    return folder / "model.json", folder / "model.pdiparams"


def count_operators(folder: Path, files: TargetFiles) -> dict[str, int]:
    """Return how many operators of each type the graph holds."""
    import onnx

    return dict(Counter(node.op_type for node in onnx.load(str(folder / files.model)).graph.node))
