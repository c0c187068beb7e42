"""Gathers what other benchmarks measured of every released network into the table of docs/zoo.md; measures nothing.

python benchmarks/zoo_page.py

From zoo_accuracy.json, zoo_flicker.json, zoo_latency.json, docs/models.json, and the sizes of the shipped ONNX files.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from _page import write_between
from _record import RESULTS, ROOT

SETS = ("eg1800_test", "picsart_val")
BACKENDS = ("onnx", "openvino", "paddle")
HEAD = (
    "network", "input (w x h)", "params", "MMACs", "ONNX kB", "EG1800 mIoU", "person", "boundary", "PicsArt mIoU",
    "person", "boundary", "instability", "ORT ms", "OpenVINO ms", "Paddle ms",
)  # fmt: skip


def figures_of(name: str) -> dict[str, Any]:
    """Return what a benchmark measured; nothing where it was not run."""
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8"))["figures"] if file.is_file() else {}


def cells_of(name: str, row: dict[str, Any], accuracy: dict[str, Any]) -> list[str]:
    """Return the cells of one network."""
    flicker = figures_of("zoo_flicker").get("networks", {}).get(name)
    latency = figures_of("zoo_latency").get(name, {}).get("back_ends", [])
    by_backend = {one["backend"]: one for one in latency}
    height, width = row["input_hw"]
    cells = [f"[`{name}`](../{row['config']})", f"{width}x{height}", f"{row['params']:,}", f"{row['macs'] / 1e6:,.0f}"]
    shipped = ROOT / "export_model" / name / "onnx" / "model.onnx"
    cells.append(f"{shipped.stat().st_size / 1e3:,.0f}" if shipped.is_file() else "–")
    for photos in SETS:
        cells += [f"{accuracy[photos][key]:.4f}" for key in ("miou", "person_iou", "boundary_iou")]
    cells.append(f"{flicker['mask_instability']:.2f}" if flicker else "–")
    return cells + [f"{by_backend[one]['p50_ms']:.1f}" if one in by_backend else "–" for one in BACKENDS]


def table() -> str:
    """Return the table: our own networks first, each group by its boundary IoU on the photos of other sources."""
    rows = {row["name"]: row for row in json.loads((ROOT / "docs" / "models.json").read_text(encoding="utf-8"))}
    accuracy = figures_of("zoo_accuracy")
    names = sorted(
        (name for name in accuracy if name in rows), key=lambda name: -accuracy[name]["picsart_val"]["boundary_iou"]
    )
    ours = [name for name in names if rows[name]["config"].startswith("configs/zoo/")]
    lines = [f"| {' | '.join(HEAD)} |", "|" + "---|" * len(HEAD)]
    for name in [*ours, *(name for name in names if name not in ours)]:
        lines.append(f"| {' | '.join(cells_of(name, rows[name], accuracy[name]))} |")
    return "\n".join(lines)


def main() -> None:
    """Write the table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print(f"written: {write_between('zoo.md', 'zoo_page.py', table())}")


if __name__ == "__main__":
    main()
