"""Peak memory of tools/bg_replace.py at 10 seconds and at 10 minutes of 720p video: it should be the same.

python benchmarks/video_memory.py --seconds 10 600
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from _page import write_between
from _record import ROOT, record
from video_speed import NETWORKS, SIZES, run

NAME = "video_memory"


def table(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    rows = [f"| {length} | {one['frames']} | {one['peak_mib']} |" for length, one in figures["lengths"].items()]
    return "\n".join([f"| length at {figures['size']} | frames | MiB |", "|---|---|---|", *rows])


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0, 600.0], help="lengths (default: 10 600)")
    parser.add_argument("--size", choices=SIZES, default="720p")
    arguments = parser.parse_args()

    from _video_clips import make_background, make_clip, make_export

    figures: dict[str, Any] = {"size": arguments.size, "lengths": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_export(folder / "network", NETWORKS["398x224"])
        make_background(folder / "background.png", SIZES[arguments.size])
        files = {"model": folder / "network", "background": folder / "background.png", "video": folder / "clip.mp4"}
        for seconds in arguments.seconds:
            make_clip(files["video"], SIZES[arguments.size], seconds)
            cost = run("_video_ours.py", files, folder / "o.mp4", ["--preset", "ultrafast"])
            figures["lengths"][f"{seconds:g} s"] = {key: cost[key] for key in ("frames", "peak_mib")}
    record(NAME, figures)
    write_between("video.md", f"{NAME}.py", table(figures))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
