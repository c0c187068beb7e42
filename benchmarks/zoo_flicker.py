"""How steady the masks of the released networks are: warping error and mask instability on clips of talking people.

python benchmarks/zoo_flicker.py            # every released model whose weights are here
python benchmarks/zoo_flicker.py sinet_320  # one; the others keep their figures

Each network alone, without temporal filter; means over the clips, in thousandths. A network that takes its last mask
gets it. Clips: data/videos. For filters: smoothing.py.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from _exports import exported
from _record import RESULTS, ROOT, record
from smoothing import TALKING

sys.path.insert(0, str(ROOT))
NAME = "zoo_flicker"
FRAMES = 60
MEASURES = ("warping_error", "mask_instability")


def judge(name: str, clips: list[Any]) -> dict[str, float]:
    """Return one network's figures."""
    from paddle_portrait.inference import Predictor
    from paddle_portrait.report.steadiness import compare, setups_of

    predictor = Predictor.load(exported(name, ("onnx",))[0], "onnx")
    setups = setups_of([], {}, takes_prior=predictor.takes_prior)[-1:]
    figures = [setup[setups[0].name] for setup in compare(predictor, clips, setups).values()]
    return {measure: round(1000 * float(np.mean([one[measure] for one in figures])), 3) for measure in MEASURES}


def main() -> None:
    """Judge and record."""
    from paddle_portrait import zoo
    from paddle_portrait.report.clips import video_clip

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="zoo names (default: all whose weights are here)")
    arguments = parser.parse_args()
    paths = [ROOT / "data" / "videos" / name for name in TALKING]
    if missing := [path.name for path in paths if not path.is_file()]:
        parser.error(f"data/videos lacks {', '.join(missing)}: see data/README.md")
    clips = [video_clip(path, FRAMES) for path in paths]
    earlier = RESULTS / f"{NAME}.json"
    rows = json.loads(earlier.read_text(encoding="utf-8"))["figures"]["networks"] if earlier.is_file() else {}
    for name in arguments.names or [name for name in zoo.NAMES if zoo.weights_file(name).is_file()]:
        rows[name] = judge(name, clips)
        networks = {name: rows[name] for name in zoo.NAMES if name in rows}
        record(NAME, {"clips": [Path(clip).stem for clip in TALKING], "frames": FRAMES, "networks": networks})


if __name__ == "__main__":
    main()
