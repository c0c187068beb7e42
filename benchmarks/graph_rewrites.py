"""What the rewrites of ONNX graphs win: paddle2onnx's own graph, ours layer by layer, and ours rewritten, in turns.

python benchmarks/graph_rewrites.py                     # every released network, and PP-HumanSeg-Lite
python benchmarks/graph_rewrites.py sinet_320           # one; the others keep their figures

ONNX Runtime, one thread, its processor time, the graph alone, ending in the person's probability (paddle2onnx's in the
softmax or sigmoid that the network's authors have). Median of the calls; the difference is the largest of a
probability, on noise. The peak is the best rate of all: of several products of matrices, called in the same turns and
timed as nodes are, by the fifth part from below, and of any node. Writes the tables of docs/benchmarks.md, one of them
of the nodes that take the time of PP-HumanSeg-Lite.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _executed_nodes import executed_nodes, slowest_nodes
from _page import write_between
from _record import RESULTS, ROOT, record

sys.path.insert(0, str(ROOT))
NAME = "graph_rewrites"
OWN = {"pp_humanseg_v1_lite_192": "configs/pp_humanseg/lite_192x192_portraits.yml"}
TURNS = 100
# Rows, inner side and columns of the products that the peak is the best of: squares, of which caches decide which is
# best, and what a 1x1 convolution of 64 channels at 96x96 computes.
PRODUCTS = (*((side, side, side) for side in (256, 512, 768, 1024)), (9216, 64, 64))
WORDS = {"converter": "paddle2onnx", "layer_by_layer": "rewrites off", "rewritten": "rewritten"}


def measure(name: str) -> dict[str, Any]:
    """Return milliseconds of the three graphs of one network, and how far they are apart."""
    from paddle_portrait.config import load_config
    from paddle_portrait.engine.trained import build_network, load_trained
    from paddle_portrait.export import export_model
    from paddle_portrait.export.options import ExportOptions
    from paddle_portrait.inference.deploy_file import DeployFile
    from paddle_portrait.zoo import find_config

    config = load_config(ROOT / OWN[name] if name in OWN else find_config(name))
    network = build_network(config) if name in OWN else load_trained(config, name)
    with tempfile.TemporaryDirectory() as folder:
        files: dict[str, Path] = {}
        for way, rewrites in (("layer_by_layer", False), ("rewritten", True)):
            options = ExportOptions("sigmoid", rewrites=rewrites)
            shape = config.get("export.input_shape") or fixed_shape(config)
            channels = config.get("model.in_channels")
            directory = export_model(
                network, config, Path(folder) / way, ("onnx",), input_shape=shape, channels=channels, options=options
            ).save_dir
            files[way] = directory / "onnx" / "model.onnx"
        shape = DeployFile.read(directory).input_shape
        rewritten = json.loads((directory / "parity.json").read_text())["targets"]["onnx"]["rewrites"]
        files["converter"] = converted(network, tuple(shape), Path(folder))
        figures = timed(files, tuple(shape))
        if name in OWN:
            figures["nodes"] = executed_nodes(files["rewritten"], tuple(shape))
    figures["gmacs_per_s"] = round(macs_of(name) / figures["ms"]["rewritten"] / 1e6, 2)
    return {**figures, "rewrites": [each["name"] for each in rewritten]}


def macs_of(name: str) -> int:
    """Return a network's multiply-adds, as docs/models.md counts them."""
    rows = json.loads((ROOT / "docs" / "models.json").read_text(encoding="utf-8"))
    return next(row["macs"] for row in rows if row["name"] == name)


def multiplication(rows: int, inner: int, columns: int) -> bytes:
    """Return a graph that multiplies a matrix with a constant one: the most that the runtime gets out of a core."""
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.full((inner, columns), 0.01, np.float32), "w")
    shapes = {"x": [rows, inner], "y": [rows, columns]}
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "peak", ends[:1], ends[1:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


def fixed_shape(config: Any) -> tuple[int, ...]:
    """Return the height and width at which a config judges."""
    sizes = [step["target_size"] for step in config.inference_transforms() if step["type"] == "Resize"]
    return (sizes[0][1], sizes[0][0])


def converted(network: Any, shape: tuple[int, ...], folder: Path) -> Path:
    """Convert a network as it is, batch norms and all, with nothing but paddle2onnx."""
    import paddle
    import paddle.nn.functional as functional

    from paddle_portrait.export.targets.onnx import OPSET, readable_copy
    from paddle_portrait.inference.deploy_file import TargetFiles
    from paddle_portrait.models.output import as_seg_output

    class Plain(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: paddle.Tensor) -> paddle.Tensor:
            logits = as_seg_output(self.network(image)).logits
            return functional.softmax(logits, axis=1) if logits.shape[1] > 1 else functional.sigmoid(logits)

    graph = Plain()
    graph.eval()
    spec = [paddle.static.InputSpec(shape, "float32", "x")]
    traced = paddle.jit.to_static(graph, input_spec=spec, full_graph=True)
    paddle.jit.save(traced, str(folder / "traced" / "model"))
    model, params = readable_copy(folder / "traced", TargetFiles("model.json"), folder / "readable")
    child = ["-m", "paddle_portrait.export.onnx_child", str(OPSET), str(model), str(params)]
    subprocess.run([sys.executable, *child, str(folder / "plain.onnx")], check=True, cwd=ROOT, capture_output=True)
    return folder / "plain.onnx"


def timed(files: dict[str, Path], shape: tuple[int, ...]) -> dict[str, Any]:
    """Call all graphs in turns and compare them."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    sessions = {way: ort.InferenceSession(str(path), options) for way, path in files.items()}
    products = {sides: ort.InferenceSession(multiplication(*sides), options) for sides in PRODUCTS}
    noise = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    times: dict[str, list[float]] = {way: [] for way in sessions}
    multiplying: dict[tuple[int, ...], list[float]] = {sides: [] for sides in products}
    answers = {}
    for _ in range(TURNS):
        for way, session in sessions.items():
            feed = {session.get_inputs()[0].name: noise}
            started = time.thread_time()
            answers[way] = session.run(None, feed)[0][:, -1]
            times[way].append(1000 * (time.thread_time() - started))
        for sides, product in products.items():
            matrix = np.ones(sides[:2], np.float32)
            started = time.thread_time()
            product.run(None, {"x": matrix})
            multiplying[sides].append(time.thread_time() - started)
    spent = {way: round(float(np.median(values)), 2) for way, values in times.items()}
    return {
        "input_hw": list(shape[2:]),
        "ms": spent,
        "against_converter": round(spent["converter"] / spent["rewritten"], 2),
        "against_layer_by_layer": round(spent["layer_by_layer"] / spent["rewritten"], 2),
        "max_abs_diff": max(float(np.abs(answers["rewritten"] - answers[way]).max()) for way in files),
        "peak_gmacs_per_s": round(max(map(reached, multiplying, multiplying.values())), 1),
        "kilobytes": {way: round(path.stat().st_size / 1000) for way, path in files.items()},
    }


def reached(sides: tuple[int, ...], seconds: list[float]) -> float:
    """Return the multiply-adds a second of a product, in thousand millions."""
    return math.prod(sides) / float(np.percentile(seconds, 20)) / 1e9


def machine_peak(figures: dict[str, Any]) -> float:
    """Return the best rate of all: of the products, in whichever network's turns, and of any node."""
    nodes = [node for entry in figures.values() for node in entry.get("nodes", ())]
    rates = [node["macs"] / node["microseconds"] / 1000 for node in nodes]
    return max(*rates, *(entry["peak_gmacs_per_s"] for entry in figures.values()))


def table(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    peak = machine_peak(figures)
    head = ["network", *(f"{word}, ms" for word in WORDS.values()), "times as fast", "largest difference"]
    head += ["G multiply-adds/s", "of the peak"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name, entry in figures.items():
        cells = [f"`{name}`", *(f"{entry['ms'][way]:.2f}" for way in WORDS)]
        cells += [f"{entry['against_converter']:.2f}", f"{entry['max_abs_diff']:.0e}"]
        cells += [f"{entry['gmacs_per_s']:.1f}", f"{entry['gmacs_per_s'] / peak:.0%}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def nodes_table(figures: dict[str, Any]) -> str:
    """Return where the time of PP-HumanSeg-Lite goes, as Markdown."""
    (entry,) = (figures[name] for name in OWN)
    return slowest_nodes(entry["nodes"], machine_peak(figures))


def main() -> None:
    """Measure, record, and write the tables."""
    from paddle_portrait.zoo import NAMES, weights_file

    known = [*OWN, *(name for name in NAMES if weights_file(name).is_file())]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="networks (default: all)")
    parser.add_argument("--table", action="store_true", help="write the table alone, from the figures that are there")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(known):
        raise SystemExit(f"not known: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    earlier = RESULTS / f"{NAME}.json"
    figures = json.loads(earlier.read_text(encoding="utf-8"))["figures"] if earlier.is_file() else {}
    for name in [] if arguments.table else arguments.names or known:
        figures[name] = measure(name)
        record(NAME, figures)
    write_between("benchmarks.md", f"{NAME}.py", table(figures))
    write_between("benchmarks.md", f"{NAME}.py, nodes", nodes_table(figures))


if __name__ == "__main__":
    main()
