"""pnnx 20261020, ncnn's converter, has no layer for a transposed convolution with uneven padding, and says nothing.

Prints the graph that it writes, with a layer that ncnn does not know, and that ncnn cannot load it. Even padding goes.
"""

import importlib.util
import subprocess
import tempfile
from pathlib import Path

import ncnn
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

path = Path(tempfile.mkdtemp()) / "model.onnx"
weights = numpy_helper.from_array(np.ones((3, 3, 3, 3), np.float32), "w")
node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], pads=[0, 0, 1, 1])
x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, s, s]) for n, s in (("x", 4), ("y", 8)))
graph = helper.make_graph([node], "uneven", [x], [y], [weights])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), str(path))
program = Path(importlib.util.find_spec("pnnx").origin).with_name("pnnx")  # to import it takes PyTorch
subprocess.run([program, "model.onnx", "inputshape=[1,3,4,4]", "fp16=0"], cwd=path.parent, capture_output=True)
print(path.with_name("model.ncnn.param").read_text())
print("loaded" if ncnn.Net().load_param(str(path.with_name("model.ncnn.param"))) == 0 else "not loaded")
