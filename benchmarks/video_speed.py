"""Frames a second of tools/bg_replace.py against PP-HumanSeg's loop, end to end, on the same clip and network.

python benchmarks/video_speed.py              # 720p and 1080p, a few minutes
python benchmarks/video_speed.py --seconds 3 --repeats 1 --sizes 720p

A picture goes behind the person. Ours: H.264 by x264 (presets veryfast, the default, and ultrafast), with the sound, on
ONNX Runtime, and on OpenVINO where it is installed. The peer (benchmarks/peer_loop.py): Motion JPEG, without sound,
with Paddle Inference and with ONNX Runtime, with and without its optical flow. Each run is a process of its own; the
clock starts when the network is loaded. All set-ups take turns, and ratios are medians over the turns, so that other
load on the machine falls on both sides.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _page import write_between
from _record import ROOT, record

NAME = "video_speed"
SIZES = {"720p": (720, 1280), "1080p": (1080, 1920)}
PEERS = {
    "peer, Paddle Inference": ["--runtime", "paddle"],
    "peer, Paddle Inference, optical flow": ["--runtime", "paddle", "--optic_flow"],
    "peer, ONNX Runtime": ["--runtime", "onnx"],
    "peer, ONNX Runtime, optical flow": ["--runtime", "onnx", "--optic_flow"],
}
OURS = {
    "ours, x264 veryfast": ["--preset", "veryfast"],
    "ours, x264 ultrafast": ["--preset", "ultrafast"],
}
OPENVINO = {
    "ours, OpenVINO, x264 veryfast": ["--backend", "openvino", "--preset", "veryfast"],
    "ours, OpenVINO, x264 ultrafast": ["--backend", "openvino", "--preset", "ultrafast"],
}
FLOW = {"ours, x264 veryfast, optical flow": ["--preset", "veryfast", "--smoothing", "optic_flow"]}
RATIOS = {
    "own runtimes": ("peer, Paddle Inference", "ours, x264 veryfast"),
    "own runtimes, optical flow": ("peer, Paddle Inference, optical flow", "ours, x264 veryfast, optical flow"),
    "both ONNX Runtime": ("peer, ONNX Runtime", "ours, x264 veryfast"),
    "both ONNX Runtime, optical flow": ("peer, ONNX Runtime, optical flow", "ours, x264 veryfast, optical flow"),
    "own runtimes, x264 ultrafast": ("peer, Paddle Inference", "ours, x264 ultrafast"),
    "both ONNX Runtime, x264 ultrafast": ("peer, ONNX Runtime", "ours, x264 ultrafast"),
    "own runtimes, OpenVINO": ("peer, Paddle Inference", "ours, OpenVINO, x264 veryfast"),
    "own runtimes, OpenVINO, x264 ultrafast": ("peer, Paddle Inference", "ours, OpenVINO, x264 ultrafast"),
}


def run(script: str, files: dict[str, Path], output: Path, flags: list[str]) -> dict[str, Any]:
    """Run one set-up in a process of its own; return what it printed."""
    named = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    command = [sys.executable, str(ROOT / "benchmarks" / script), *named, "--output", str(output), *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    cost = json.loads(done.stdout.splitlines()[-1])
    cost["mb_written"] = round(output.stat().st_size / 1e6, 2)
    return cost


def measure(files: dict[str, Path], folder: Path, repeats: int) -> dict[str, Any]:
    """Let all set-ups take turns; return each one's figures, and the ratios."""
    from _video_clips import openvino_here

    from paddle_portrait.video.smoothing import FILTERS

    ours = {**OURS, **(OPENVINO if openvino_here() else {}), **(FLOW if "optic_flow" in FILTERS else {})}
    setups = {**{name: ("peer_loop.py", "o.avi", flags) for name, flags in PEERS.items()},
              **{name: ("_video_ours.py", "o.mp4", flags) for name, flags in ours.items()}}  # fmt: skip
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in setups}
    for turn in range(repeats):
        for name, (script, output, flags) in setups.items():
            cost = run(script, files, folder / output, flags)
            runs[name].append(cost)
            print(f"turn {turn + 1}: {name}: {cost['frames'] / cost['seconds']:.1f} fps", flush=True)
    ratios = {
        name: round(statistics.median(p["seconds"] / o["seconds"] for p, o in zip(runs[a], runs[b], strict=True)), 2)
        for name, (a, b) in RATIOS.items()
        if b in runs
    }
    return {"runs": {name: summarise(costs) for name, costs in runs.items()}, "ratios": ratios}


def summarise(costs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the run of median speed, with the speeds of all."""
    median = sorted(costs, key=lambda cost: cost["seconds"])[len(costs) // 2]
    return {
        "fps": round(median["frames"] / median["seconds"], 1),
        "fps_of_turns": [round(cost["frames"] / cost["seconds"], 1) for cost in costs],
        "cpu_ms_per_frame": round(1000 * median["cpu_seconds"] / median["frames"], 2),
        **{key: value for key, value in median.items() if key not in ("seconds", "cpu_seconds")},
    }


def table(figures: dict[str, Any]) -> str:
    """Return the figures as a Markdown table, for the terminal and docs/video.md."""
    lines = ["| size | set-up | frames/s | CPU ms/frame | MB written |", "|---|---|---|---|---|"]
    for size in SIZES:
        for name, one in figures.get(size, {}).get("runs", {}).items():
            lines.append(f"| {size} | {name} | {one['fps']} | {one['cpu_ms_per_frame']} | {one['mb_written']} |")
    lines += ["", "| size | ours / peer | times as fast |", "|---|---|---|"]
    for size in SIZES:
        lines += [f"| {size} | {name} | {ratio} |" for name, ratio in figures.get(size, {}).get("ratios", {}).items()]
    lines += ["", *stage_table(figures)]
    return "\n".join(lines)


def stage_table(figures: dict[str, Any]) -> list[str]:
    """Return what each of our stages costs, wall and own thread."""
    lines = ["| size | stage | ms/frame | CPU ms/frame of its thread |", "|---|---|---|---|"]
    for size in SIZES:
        one = figures.get(size, {}).get("runs", {}).get("ours, x264 veryfast")
        if one:
            cpu = one["stages_cpu_ms"]
            lines += [f"| {size} | {name} | {ms} | {cpu[name]} |" for name, ms in one["stages_ms"].items()]
    return lines


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="length of the clip (default: 6)")
    parser.add_argument("--repeats", type=int, default=3, help="turns (default: 3)")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    arguments = parser.parse_args()

    from _video_clips import make_background, make_clip, make_export

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures: dict[str, Any] = {"network": "PP-HumanSeg-Lite, 398x224", "seconds": arguments.seconds}
        figures["weights"] = make_export(folder / "network")
        make_background(folder / "background.png", SIZES["720p"])
        files = {"model": folder / "network", "background": folder / "background.png", "video": folder / "clip.mp4"}
        for size in arguments.sizes:
            figures["clip"] = make_clip(files["video"], SIZES[size], arguments.seconds)
            figures[size] = measure(files, folder, arguments.repeats)
    record(NAME, figures)
    print(table(figures))
    write_between("video.md", f"{NAME}.py", table(figures))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
