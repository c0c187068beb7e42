"""What fewer bits cost and win: size, latency, mIoU and boundary IoU of float and of every scheme on picsart/val.

python benchmarks/quantisation.py                             # every network below
python benchmarks/quantisation.py mnv3_small_256 --schemes nncf minmax
python benchmarks/quantisation.py mnv3_small_256 --schemes learned --checkpoint output/mnv3_int8/int8/iter_280

What a call does not measure keeps its figures. Ranges come from photos of the training sets, three draws of 64;
accuracy is the mean of the draws. All graphs, the float one too, are layer by layer: float exports rewritten for speed
are quicker (docs/benchmarks.md). Latency: one thread, all files of a network in turn, the 20th percentile of the
calls, which other work on the machine disturbs least; figures of one run compare.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _page import write_between
from _record import RESULTS, record

NAME = "quantisation"
NETWORKS = ("mnv3_small_256", "lite", "humanseg_lite_2020", "mediapipe_selfie_general")
SCHEMES = ("fp16", "weights", "minmax", "percentile", "nncf")
WORDS = {
    "float": "float",
    "fp16": "weights fp16",
    "weights": "weights int8",
    "minmax": "int8, plain min-max",
    "percentile": "int8, percentile",
    "nncf": "int8, NNCF",
    "learned": "int8, trained for",
}
LEARNED_CONFIG = "configs/mobilenet_v3_transition/mnv3_small_256_int8.yml"
CALLS = 60


def measure(name: str, schemes: list[str], checkpoint: str | None) -> dict[str, dict[str, Any]]:
    """Return the figures of float and of each scheme of one released network."""
    from paddle_portrait.config import load_config
    from paddle_portrait.data.datasets.foreign import as_dataset
    from paddle_portrait.engine.trained import load_trained
    from paddle_portrait.export.quantisation import Request, attempt
    from paddle_portrait.registry import DATASETS
    from paddle_portrait.zoo import find_config

    config = load_config(find_config(name))
    calibration, validation = (
        as_dataset(DATASETS.build_node(config.component(section))) for section in ("train_dataset", "val_dataset")
    )
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        model_dir = Path(scratch) / "export"
        floating = load_trained(config, name)
        files = {"float": export_float(floating, config, model_dir)}
        for scheme in schemes:
            folder = Path(scratch) / scheme
            folder.mkdir()
            network = load_trained(load_config(LEARNED_CONFIG), checkpoint) if scheme == "learned" else floating
            kept = ("auto",) if scheme == "nncf" else ()  # the runtime's quantiser as it comes
            request = Request(model_dir, model_dir, scheme, calibration, validation, keep_float=kept, network=network)
            found = attempt(request, folder)
            files[scheme] = next(found.directories[0].glob("*/model.onnx"))
            rows["float"] = {"kilobytes": kilobytes(files["float"]), **accuracy(found.judgements[:1])}
            rows[scheme] = {"kilobytes": kilobytes(files[scheme]), **accuracy(found.judgements[1:]), **costs(found)}
        shape = config_input(model_dir)
        for runtime, open_file in runtimes().items():
            for scheme, figure in latencies(files, open_file, shape).items():
                rows[scheme][f"{runtime}_ms"] = figure
    return rows


def export_float(network: Any, source: Any, model_dir: Path) -> Path:
    """Export the float reference layer by layer, as quantised graphs are, so that like is compared with like."""
    from paddle_portrait.export import export_model
    from paddle_portrait.export.options import ExportOptions

    export_model(network, source, model_dir, ("onnx",), options=ExportOptions("sigmoid", rewrites=False))
    return model_dir / "onnx" / "model.onnx"


def kilobytes(path: Path) -> int:
    """Return the size of a file."""
    return round(path.stat().st_size / 1000)


def accuracy(judgements: tuple[Any, ...]) -> dict[str, float]:
    """Return the mean of the draws."""
    return {
        "miou": round(float(np.mean([one.miou for one in judgements])), 4),
        "boundary_iou": round(float(np.mean([one.boundary_iou for one in judgements])), 4),
    }


def costs(found: Any) -> dict[str, Any]:
    """Return what a scheme lost, with its interval, how much of it is in int8, and whether it would be kept."""
    outcome, drop = found.outcome, found.outcome.drop
    share = None if outcome.int8_share is None else round(outcome.int8_share, 3)
    return {
        "lost_points": round(drop.mean, 2),
        "interval": [round(drop.low, 2), round(drop.high, 2)],
        "draws": [round(one, 2) for one in drop.of_draws],
        "int8_share": share,
        "in_float": list(outcome.kept_float),
        "passes": not outcome.faults(0.3) and bool(found.parity.passed),
    }


def config_input(model_dir: Path) -> tuple[int, ...]:
    """Return the shape that the exported graph takes."""
    from paddle_portrait.inference.deploy_file import DeployFile

    shape = DeployFile.read(model_dir).input_shape
    assert shape is not None
    return tuple(shape)


def runtimes() -> dict[str, Callable[[Path], Any]]:
    """Return what runs ONNX files here, by name: functions from a file to a function of the input."""
    import onnxruntime as ort

    def by_onnxruntime(path: Path) -> Callable[[np.ndarray], Any]:
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda tensor: session.run(None, {name: tensor})

    found: dict[str, Callable[[Path], Any]] = {"onnxruntime": by_onnxruntime}
    try:
        import openvino
    except ImportError:
        return found
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}

    def by_openvino(path: Path) -> Callable[[np.ndarray], Any]:
        return openvino.Core().compile_model(str(path), "CPU", hints)

    return {**found, "openvino": by_openvino}


def latencies(files: dict[str, Path], open_file: Callable[[Path], Any], shape: tuple[int, ...]) -> dict[str, float]:
    """Return the 20th percentile of milliseconds of each file, called in turn."""
    tensor = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    models = {scheme: open_file(path) for scheme, path in files.items()}
    times: dict[str, list[float]] = {scheme: [] for scheme in models}
    for _ in range(CALLS):
        for scheme, model in models.items():
            started = time.perf_counter()
            model(tensor)
            times[scheme].append((time.perf_counter() - started) * 1000)
    return {scheme: round(float(np.percentile(spent, 20)), 2) for scheme, spent in times.items()}


def table(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown, one table a network."""
    parts = []
    for name, rows in figures.items():
        order = [scheme for scheme in WORDS if scheme in rows]
        lines = [
            f"`{name}`:",
            "",
            "| | kB | ORT ms | OpenVINO ms | mIoU | boundary IoU | lost points (95 %) | in int8 | gate |",
            "|---|---|---|---|---|---|---|---|---|",
            *(table_row(WORDS[scheme], rows[scheme]) for scheme in order),
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def table_row(words: str, row: dict[str, Any]) -> str:
    """Return one line of a table."""
    lost, share, verdict = "–", "–", "–"
    if "lost_points" in row:
        lost = "{:.2f} ({:.2f} to {:.2f})".format(row["lost_points"], *row["interval"])
        share = "–" if row["int8_share"] is None else f"{row['int8_share']:.1%}"
        verdict = "passes" if row["passes"] else "fails"
    times = [f"{row[key]:.1f}" if key in row else "–" for key in ("onnxruntime_ms", "openvino_ms")]
    cells = [words, row["kilobytes"], *times, f"{row['miou']:.4f}", f"{row['boundary_iou']:.4f}", lost, share, verdict]
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Measure, record, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"zoo names (default: {' '.join(NETWORKS)})")
    parser.add_argument("--schemes", nargs="+", default=list(SCHEMES), help=f"default: {' '.join(SCHEMES)}")
    parser.add_argument("--checkpoint", help="of the network trained for int8, for scheme learned")
    parser.add_argument("--table", action="store_true", help="only write the table from what was measured before")
    arguments = parser.parse_args()
    earlier = RESULTS / f"{NAME}.json"
    figures = json.loads(earlier.read_text(encoding="utf-8"))["figures"] if earlier.is_file() else {}
    for name in [] if arguments.table else arguments.names or NETWORKS:
        figures[name] = {**figures.get(name, {}), **measure(name, arguments.schemes, arguments.checkpoint)}
        record(NAME, {network: figures[network] for network in NETWORKS if network in figures})
    print(f"written: {write_between('quantisation.md', 'quantisation.py', table(figures))}")


if __name__ == "__main__":
    main()
