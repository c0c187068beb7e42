"""Paddle 3.3: Paddle Inference with oneDNN, its default, gets a matmul behind a convolution of a .pdmodel wrong.

Prints the largest difference from NumPy, with oneDNN and without: the first is as large as the values, without a word.
"""

import tempfile

import numpy as np
import paddle
from paddle import inference

prefix = tempfile.mkdtemp() + "/model"
with paddle.pir_utils.OldIrGuard():
    paddle.enable_static()
    x = paddle.static.data("x", [1, 3, 8, 8])
    image = paddle.nn.Conv2D(3, 3, 1, weight_attr=paddle.nn.initializer.Dirac(), bias_attr=False)(x)  # x again
    y = x.block.create_var(dtype=x.dtype)
    x.block.append_op(type="matmul_v2", inputs={"X": image, "Y": image}, outputs={"Out": y})  # as paddle.matmul was
    executor = paddle.static.Executor()
    executor.run(paddle.static.default_startup_program())
    paddle.static.save_inference_model(prefix, [x], [y], executor)
values = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
for onednn in (True, False):
    config = inference.Config(prefix + ".pdmodel", prefix + ".pdiparams")
    config.enable_mkldnn() if onednn else config.disable_mkldnn()
    predictor = inference.create_predictor(config)
    predictor.get_input_handle("x").copy_from_cpu(values)
    predictor.run()
    answer = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()
    print("with oneDNN" if onednn else "without", np.abs(answer - values @ values).max())
