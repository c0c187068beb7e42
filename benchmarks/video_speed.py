"""Frames a second of tools/bg_replace.py against PP-HumanSeg's loop, end to end, on the same clip and network.

python benchmarks/video_speed.py              # 720p, about seven minutes on two free cores
python benchmarks/video_speed.py --sizes 1080p --networks 398x224

A picture goes behind the person. Ours: H.264 by x264 (presets veryfast, the default, and ultrafast), with the sound, on
ONNX Runtime. The peer (benchmarks/peer_loop.py): Motion JPEG, without sound, with Paddle Inference and with ONNX
Runtime. With the larger network both run with optical flow, too. Each run is a process of its own; the clock starts
when the network is loaded and stops when the file is whole. All set-ups take turns, and ratios are medians over the
turns, so that other load on the machine falls on both sides.
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
NETWORKS = {"192x192": (192, 192), "398x224": (224, 398)}
SETUPS = {
    "peer, Paddle Inference": ("peer_loop.py", "--runtime", "paddle"),
    "peer, ONNX Runtime": ("peer_loop.py", "--runtime", "onnx"),
    "ours, x264 veryfast": ("_video_ours.py", "--preset", "veryfast"),
    "ours, x264 ultrafast": ("_video_ours.py", "--preset", "ultrafast"),
}
FLOW = {
    "peer, Paddle Inference, optical flow": ("peer_loop.py", "--runtime", "paddle", "--optic_flow"),
    "peer, ONNX Runtime, optical flow": ("peer_loop.py", "--runtime", "onnx", "--optic_flow"),
    "ours, x264 veryfast, optical flow": ("_video_ours.py", "--preset", "veryfast", "--smoothing", "optic_flow"),
}
WITH_FLOW = "398x224"
OUTPUTS = {"peer_loop.py": "o.avi", "_video_ours.py": "o.mp4"}
RATIOS = {
    "own runtimes": ("peer, Paddle Inference", "ours, x264 veryfast"),
    "own runtimes, x264 ultrafast": ("peer, Paddle Inference", "ours, x264 ultrafast"),
    "own runtimes, optical flow": ("peer, Paddle Inference, optical flow", "ours, x264 veryfast, optical flow"),
    "both ONNX Runtime": ("peer, ONNX Runtime", "ours, x264 veryfast"),
    "both ONNX Runtime, x264 ultrafast": ("peer, ONNX Runtime", "ours, x264 ultrafast"),
    "both ONNX Runtime, optical flow": ("peer, ONNX Runtime, optical flow", "ours, x264 veryfast, optical flow"),
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


def measure(setups: dict[str, tuple[str, ...]], files: dict[str, Path], folder: Path, repeats: int) -> dict[str, Any]:
    """Let all set-ups take turns; return each one's figures, and the ratios."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in setups}
    for turn in range(repeats):
        for name, (script, *flags) in setups.items():
            cost = run(script, files, folder / OUTPUTS[script], flags)
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
    """Return the figures as Markdown tables, for the terminal and docs/video.md."""
    cases: dict[str, Any] = figures["cases"]
    lines = ["| video, network | set-up | frames/s | CPU ms/frame | MB written |", "|---|---|---|---|---|"]
    for case, found in cases.items():
        for name, one in found["runs"].items():
            lines.append(f"| {case} | {name} | {one['fps']} | {one['cpu_ms_per_frame']} | {one['mb_written']} |")
    lines += ["", "| video, network | ours / peer | times as fast |", "|---|---|---|"]
    for case, found in cases.items():
        lines += [f"| {case} | {name} | {ratio} |" for name, ratio in found["ratios"].items()]
    return "\n".join([*lines, "", *stage_table(cases)])


def stage_table(cases: dict[str, Any]) -> list[str]:
    """Return the processor time of each of our stages, in milliseconds a frame."""
    presets = [name for name in SETUPS if name.startswith("ours")]
    columns = {f"{case}, {name.split()[-1]}": found["runs"][name] for case, found in cases.items() for name in presets}
    lines = [f"| CPU ms/frame | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for stage in next(iter(columns.values()))["stages_cpu_ms"]:
        spent = [str(one["stages_cpu_ms"][stage]) for one in columns.values()]
        lines.append(f"| {stage} | {' | '.join(spent)} |")
    return lines


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="length of the clip (default: 6)")
    parser.add_argument("--repeats", type=int, default=3, help="turns (default: 3)")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["720p"], help="of the video (default: 720p)")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS), help="(default: both)")
    arguments = parser.parse_args()

    from _video_clips import make_background, make_clip, make_export

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures: dict[str, Any] = {"network": "PP-HumanSeg-Lite", "seconds": arguments.seconds, "cases": {}}
        for network in arguments.networks:
            figures["weights"] = make_export(folder / network, NETWORKS[network])
        files = {"background": folder / "background.png", "video": folder / "clip.mp4"}
        make_background(files["background"], SIZES["720p"])
        for size in arguments.sizes:
            figures["clip"] = make_clip(files["video"], SIZES[size], arguments.seconds)
            for network in arguments.networks:
                setups = {**SETUPS, **(FLOW if network == WITH_FLOW else {})}
                found = measure(setups, {"model": folder / network, **files}, folder, arguments.repeats)
                figures["cases"][f"{size}, {network}"] = found
    record(NAME, figures)
    print(table(figures))
    write_between("video.md", f"{NAME}.py", table(figures))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
