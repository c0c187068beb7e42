"""Paddle 3.3: Paddle Inference with oneDNN, its default, cannot run a bilinear resize of a model.json. Raises.

With config.disable_mkldnn(), as in this project, it runs.
"""

import tempfile

import numpy as np
import paddle
from paddle import inference


class Resize(paddle.nn.Layer):
    def forward(self, x):
        return paddle.nn.functional.interpolate(x, size=[8, 8], mode="bilinear")


prefix = tempfile.mkdtemp() + "/model"
spec = [paddle.static.InputSpec([1, 3, 4, 4], "float32", "x")]
network = paddle.nn.Sequential(paddle.nn.Conv2D(3, 3, 1), Resize())
paddle.jit.save(paddle.jit.to_static(network, input_spec=spec, full_graph=True), prefix)
predictor = inference.create_predictor(inference.Config(prefix + ".json", prefix + ".pdiparams"))
predictor.get_input_handle("x").copy_from_cpu(np.ones((1, 3, 4, 4), np.float32))
predictor.run()
print("no fault")
