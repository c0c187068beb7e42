"""Size, parameters and latency of every network of docs/models.yml; writes the table of docs/benchmarks.md.

python benchmarks/zoo_latency.py                  # every network; those already measured are measured anew
python benchmarks/zoo_latency.py sinet_320 lite   # these; the others keep their figures
python benchmarks/zoo_latency.py --table          # the table alone, from the figures that are there

Each network is exported with its released weights, or with random ones where there are none, which changes neither
size nor latency. Latency is that of the graph alone, all back ends of a network in turns, one thread.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _page import write_between
from _record import RESULTS, ROOT, record

NAME = "zoo_latency"
FORMATS = ("onnx", "openvino", "paddle")
LARGEST = 50_000_000  # parameters; beyond it a network is no candidate for real time, and its files fill a disk


def measure(row: dict[str, Any], turns: int) -> dict[str, Any]:
    """Return size, parameters and latencies of one network."""
    from paddle_portrait import zoo
    from paddle_portrait.config import load_config
    from paddle_portrait.engine.trained import build_network, load_trained
    from paddle_portrait.export import export_model
    from paddle_portrait.inference.benchmark import benchmark

    config = load_config(ROOT / row["config"])
    released = row["name"] in zoo.NAMES and (ROOT / "pretrained_model" / row["name"] / "model.pdparams").is_file()
    network = load_trained(config, row["name"]) if released else build_network(config)
    with tempfile.TemporaryDirectory() as folder:
        shape = (1, row["in_channels"], *row["input_hw"])
        export_model(network, config, folder, FORMATS, "sigmoid", shape, row["in_channels"])
        figures = [asdict(entry) for entry in benchmark([folder], FORMATS, (1,), turns)]
    for entry in figures:
        entry.pop("model")
    kept = {key: row[key] for key in ("network", "config", "input_hw", "params", "macs")}
    return {**kept, "weights": "released" if released else "random", "back_ends": figures}


def table(figures: dict[str, Any]) -> str:
    """Return the table of docs/benchmarks.md."""
    head = ["network", "input (w x h)", "params", "MMACs", "ONNX kB"]
    head += [f"{name} p50 / p95 ms" for name in FORMATS] + ["load ms", "memory MB", "most of the time"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name, entry in figures.items():
        by_name = {one["backend"]: one for one in entry["back_ends"]}
        onnx, (height, width) = by_name["onnx"], entry["input_hw"]
        shares = ", ".join(f"{kind} {share:.0%}" for kind, share in list((onnx["shares"] or {}).items())[:3])
        cells = [f"[{entry['network']}](../{entry['config']}) `{name}`", f"{width}x{height}", f"{entry['params']:,}"]
        cells += [f"{entry['macs'] / 1e6:,.1f}", f"{onnx['bytes'] / 1e3:,.0f}"]
        cells += ["{p50_ms:.1f} / {p95_ms:.1f}".format(**by_name[form]) for form in FORMATS]
        cells += [f"{onnx[key]:.0f}" if onnx[key] is not None else "" for key in ("load_ms", "memory_mb")]
        lines.append(f"| {' | '.join([*cells, shares])} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, record, and write the table."""
    rows = {row["name"]: row for row in json.loads((ROOT / "docs" / "models.json").read_text(encoding="utf-8"))}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="names of docs/models.yml (default: all below 50 M parameters)")
    parser.add_argument("--turns", type=int, default=20, help="how often each back end is called in turn (default: 20)")
    parser.add_argument("--table", action="store_true", help="write the table alone")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(rows)
    if unknown:
        raise SystemExit(f"not in docs/models.json: {', '.join(sorted(unknown))}")
    earlier = RESULTS / f"{NAME}.json"
    figures = json.loads(earlier.read_text(encoding="utf-8"))["figures"] if earlier.is_file() else {}
    wanted = arguments.names or [name for name, row in rows.items() if row["params"] <= LARGEST]
    for name in [] if arguments.table else wanted:
        print(name, flush=True)
        figures[name] = measure(rows[name], arguments.turns)
    figures = {name: figures[name] for name in rows if name in figures}
    if not arguments.table:
        record(NAME, figures)
    print(f"written: {write_between('benchmarks.md', Path(__file__).name, table(figures))}")


if __name__ == "__main__":
    main()
