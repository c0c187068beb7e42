"""Paddle Lite 2.13rc on x86: softmax of logits that are far apart is not finite, pow(x, 2) is no square.

Prints of each how many values are not finite, and the largest. Both should be 0 and at most 1. Needs `make lite-env`.
"""

import subprocess
import tempfile

import paddle

LITE = """
import sys, numpy
from paddlelite.lite import MobileConfig, Opt, create_paddle_predictor
opt, config, prefix = Opt(), MobileConfig(), sys.argv[1]
opt.set_model_file(prefix + ".pdmodel"), opt.set_param_file(prefix + ".pdiparams"), opt.set_valid_places("x86")
opt.set_model_type("naive_buffer"), opt.set_optimize_out(prefix), opt.run(), config.set_model_from_file(prefix + ".nb")
predictor = create_paddle_predictor(config)
predictor.get_input(0).from_numpy(numpy.random.uniform(-1, 1, (1, 2, 32, 32)).astype("float32")), predictor.run()
answer = predictor.get_output(0).numpy()
print(sys.argv[2], "not finite:", (~numpy.isfinite(answer)).sum(), "largest:", numpy.nanmax(abs(answer)))
"""
LAYERS = {"softmax": lambda y: paddle.nn.functional.softmax(200 * y, 1), "pow": lambda y: paddle.pow(y, 2.0)}
for name, layer in LAYERS.items():
    network = paddle.nn.Conv2D(2, 2, 1, weight_attr=paddle.nn.initializer.Dirac(), bias_attr=False)
    network.register_forward_post_hook(lambda _, __, y, layer=layer: layer(y))
    prefix = f"{tempfile.mkdtemp()}/{name}"
    with paddle.pir_utils.OldIrGuard():
        spec = [paddle.static.InputSpec([1, 2, 32, 32], "float32", "x")]
        paddle.jit.save(paddle.jit.to_static(network, input_spec=spec, full_graph=True), prefix)
    subprocess.run([".venv-lite/bin/python", "-c", LITE, prefix, name], check=True)
