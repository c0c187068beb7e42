"""paddle2onnx 2.1 with Paddle 3.3: the slope of a leaky ReLU, stored as a double, is read as whatever lies in memory.

Prints what ONNX Runtime and Paddle make of -1: both should say -0.25. The export of this project converts a copy of
the graph in which doubles are floats.
"""

import tempfile

import numpy as np
import onnxruntime
import paddle
import paddle2onnx


class Leaky(paddle.nn.Layer):
    def forward(self, x):
        return paddle.nn.functional.leaky_relu(x, 0.25)


prefix = tempfile.mkdtemp() + "/model"
network = paddle.nn.Sequential(paddle.nn.Conv2D(1, 1, 1, weight_attr=paddle.nn.initializer.Constant(1.0)), Leaky())
spec = [paddle.static.InputSpec([1, 1, 1, 1], "float32", "x")]
paddle.jit.save(paddle.jit.to_static(network, input_spec=spec, full_graph=True), prefix)
paddle2onnx.export(prefix + ".json", prefix + ".pdiparams", prefix + ".onnx", opset_version=13)
x = -np.ones((1, 1, 1, 1), np.float32)
print("onnx", onnxruntime.InferenceSession(prefix + ".onnx").run(None, {"x": x})[0].item())
print("paddle", network(paddle.to_tensor(x)).item())
