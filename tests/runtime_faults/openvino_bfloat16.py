"""OpenVINO 2026 computes in bfloat16 unasked where the processor can; the difference is printed.

With INFERENCE_PRECISION_HINT f32, as in this project, it is that of rounding. 0.0 on processors without bfloat16.
"""

import numpy as np
import openvino
from openvino import opset13 as op

rng = np.random.default_rng(0)
image = op.parameter([1, 64, 32, 32], np.float32)
weights = op.constant(rng.standard_normal((64, 64, 3, 3)).astype(np.float32))
graph = op.convolution(image, weights, [1, 1], [1, 1], [1, 1], [1, 1])
x = rng.standard_normal((1, 64, 32, 32)).astype(np.float32)
answers = []
for settings in ({}, {"INFERENCE_PRECISION_HINT": "f32"}):
    compiled = openvino.Core().compile_model(openvino.Model([graph], [image]), "CPU", settings)
    answers.append(compiled([x])[0])
print("largest difference", np.abs(answers[0] - answers[1]).max(), "of values up to", np.abs(answers[1]).max())
