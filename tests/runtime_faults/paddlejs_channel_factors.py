"""Paddle.js 2.2 with WebGL 1.2: a product with a list of factors, one a channel, takes the first factor for all.

Prints what [1, 1] by [2, 3] is said to be. Needs Chromium, and `npm ci` in deploy/paddlejs.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path

packages = Path(__file__).resolve().parents[2] / "deploy/paddlejs/node_modules/@paddlejs"
steps = [("feed", {"X": ["feed"]}, "image"), ("elementwise_mul", {"X": ["image"], "Y": ["list"]}, "product")]
steps.append(("fetch", {"X": ["product"]}, "fetch"))
ops = [{"type": kind, "inputs": x, "outputs": {"Out": [y]}, "attrs": {"axis": 1}} for kind, x, y in steps]
shapes = {"image": [1, 2, 1, 1], "list": [2], "product": [1, 2, 1, 1]}
variables = {name: {"name": name, "shape": shape, "persistable": name == "list"} for name, shape in shapes.items()}
model = json.dumps({"ops": ops, "vars": variables, "chunkNum": 1, "dataLayout": "nchw"})
page = f"""<script>fetch = async (url) => new Response(/json/.test(url) ? `{model}` : new Float32Array([2, 3]))</script>
<script src="{packages}/paddlejs-core/lib/index.js"></script>
<script src="{packages}/paddlejs-backend-webgl/lib/index.js"></script>
<script>const runner = new paddlejs.core.Runner({{modelPath: "model.json", feedShape: {{fw: 1, fh: 1}}}});
const image = {{data: new Float32Array([1, 1]), shape: [1, 2, 1, 1], name: "image", persistable: true}};
runner.init().then(() => runner.predictWithFeed([image])).then((answer) => document.title = answer)</script>"""
folder = Path(tempfile.mkdtemp())
(folder / "page.html").write_text(page)
command = ["chromium", "--headless", "--no-sandbox", "--enable-unsafe-swiftshader", "--virtual-time-budget=20000"]
command += [f"--user-data-dir={folder}", "--dump-dom", f"file://{folder}/page.html"]
print(re.search("<title>(.*)</title>", subprocess.run(command, capture_output=True, text=True).stdout)[1])
