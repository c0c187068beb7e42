"""Every benchmark that runs by itself, one after the other, from short to long.

python benchmarks/run_all.py                             # all of them: hours
python benchmarks/run_all.py effects_cost kernel_ops     # these
python benchmarks/run_all.py --list                      # their names, and what keeps one from running here

One that fails does not keep the others from running; the exit code is then 1, and the last lines name those that
failed. One whose photos are not here is left out, and named too.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PORTRAITS, REAL, CLIPS = "data/mini_portraits", "data/picsart", "data/videos"
# In the order in which they run; what is gathered from others comes behind them. Each with what it cannot do without.
BENCHMARKS: dict[str, tuple[str, ...]] = {
    "effects_cost": (),
    "augmentation_cost": (),
    "startup_cost": ("demo_output/export",),
    "predictor_cost": (),
    "connectivity_cost": (),
    "restored_norms": (),
    "server_load": (),
    "original_tflite": ("data/checkpoints",),
    "web_page": ("deploy/paddlejs/dist",),
    "smoothing": (),
    "server_throughput": (),
    "kernel_ops": (),
    "graph_rewrites": (),
    "backend_latency": (),
    "loading_cost": (PORTRAITS,),
    "auto_backend": (),
    "video_speed": (),
    "training_speed": (PORTRAITS,),
    "resume_cost": (),
    "kernel_training_speed": (PORTRAITS,),
    "video_memory": (),
    "growth": (PORTRAITS,),
    "zoo_latency": (),
    "parity_table": (),
    "pruning": (REAL,),
    "zoo_flicker": (CLIPS,),
    "zoo_accuracy": ("data/eg1800", REAL),
    "wide_frames": ("data/backgrounds", REAL),
    "zoo_page": (),
    "source_left_out": ("data/eg1800", REAL),
    "quantisation": ("data/eg1800", REAL),
    "ablation": ("data/eg1800", REAL, "data/unlabelled_selfies", CLIPS),
}
REMEDIES = {
    "demo_output/export": "make demo",
    PORTRAITS: "python data/download_data.py",
    "deploy/paddlejs/dist": "make web",
}


def lacking(name: str) -> str:
    """Return what a benchmark lacks here and how to get it, or nothing."""
    missing = [path for path in BENCHMARKS[name] if not (ROOT / path).exists()]
    return ", ".join(f"{path} is missing ({REMEDIES.get(path, 'see data/README.md')})" for path in missing)


def run(name: str) -> bool:
    """Run a benchmark in a process of its own; return whether it ended well."""
    print(f"== {name}", flush=True)
    started = time.monotonic()
    code = subprocess.run([sys.executable, str(HERE / f"{name}.py")], cwd=ROOT, check=False).returncode
    ending = f"failed with exit code {code}" if code else "done"
    print(f"== {name}: {ending} after {(time.monotonic() - started) / 60:.1f} minutes", flush=True)
    return code == 0


def main() -> int:
    """Run them; return 1 when one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks (default: all)")
    parser.add_argument("--list", action="store_true", help="only name them")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"no benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    chosen = [name for name in BENCHMARKS if name in arguments.names or not arguments.names]
    absent = {name: reason for name in chosen if (reason := lacking(name))}
    if arguments.list:
        print("\n".join(f"{name}: {absent[name]}" if name in absent else name for name in chosen))
        return 0
    failed = [name for name in chosen if name not in absent and not run(name)]
    for name, reason in absent.items():
        print(f"left out: {name}: {reason}")
    if failed:
        print(f"failed: {' '.join(failed)}")
    return 1 if failed or (arguments.names and absent) else 0


if __name__ == "__main__":
    sys.exit(main())
