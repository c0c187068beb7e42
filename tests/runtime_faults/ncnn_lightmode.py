"""ncnn 1.0.20261020, in its lightmode (on by default), ends the process where two branches read an array of NumPy's.

Prints 1 + 2 * 1 = 3 without lightmode; with it, nothing: segmentation fault.
"""

import tempfile
from pathlib import Path

import ncnn
import numpy as np

path = Path(tempfile.mkdtemp()) / "model.param"
layers = [
    "Input in0 0 1 in0",
    "Split fork 1 2 in0 a b",
    "BinaryOp twice 1 1 a c 0=2 1=1 2=2.0",
    "BinaryOp sum 2 1 b c out0 0=0",
]
path.write_text("\n".join(["7767517", "4 5", *layers]) + "\n")
for lightmode in (False, True):
    net = ncnn.Net()
    net.opt.lightmode = lightmode
    net.load_param(str(path))
    extractor = net.create_extractor()
    picture = ncnn.Mat(np.ones((1, 4, 4), np.float32))
    extractor.input("in0", picture)
    print(lightmode, np.array(extractor.extract("out0")[1]).ravel()[:3])
