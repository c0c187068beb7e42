"""What temporal filters do to masks of videos: flicker, error on a clip with truth, lag, and cost, against none.

python benchmarks/smoothing.py                     # a minute or two; its table goes into docs/video.md
python benchmarks/smoothing.py --frames 24         # quicker
python benchmarks/smoothing.py --strip             # writes docs/images/smoothing.jpg alone, from a generated clip

The clip with truth is a keyed one (data/videos/liveportrait_d0_greenscreen), the others are data/videos; without them
only lag and cost are measured. Every n-th frame through the network, optical flow between, is judged with n = 3.
Costs are processor milliseconds a frame on one core, at 398x224, of the filter alone (of the flow, for "every 3").
A network that takes its last mask is judged beside them when --model names one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _page import write_between
from _record import ROOT, record

NAME = "smoothing"
KEYED = ROOT / "data/videos/liveportrait_d0_greenscreen"
TALKING = ("liveportrait_s32.mp4", "liveportrait_d13.mp4")
COST_HW = (224, 398)
EVERY = 3
STRIP = ROOT / "docs/images/smoothing.jpg"
_STEPS = (6, 9, 12, 15)
_AMPLIFIED = 3


def cost_ms(setup: Any) -> float:
    """Return the median processor time of a filter on a moving texture."""
    from paddle_portrait.video.smoothing.steady import Steadier

    noise = np.random.default_rng(0).random((*COST_HW, 3)).astype(np.float32)
    frame = (255 * cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 0, 1, cv2.NORM_MINMAX)).astype(np.uint8)
    person = cv2.GaussianBlur((frame[..., 0] > 128).astype(np.float32), (0, 0), 3)
    steadier, spent = Steadier(setup.make_filter()), []
    for step in range(25):
        moved, answer = np.roll(frame, step, 1), np.roll(person, step, 1)
        start = time.thread_time()
        steadier(moved, answer if step % setup.every == 0 else None, step == 0)
        spent.append(1000 * (time.thread_time() - start))
    return round(float(np.mean(spent[1:])), 2)


def measure(model: str | None, most: int) -> dict[str, Any]:
    """Judge all filters; return figures by clip and filter, and the costs."""
    from paddle_portrait.report.clips import cut_clip, fast_move_clip, labelled_clip, video_clip
    from paddle_portrait.report.steadiness import compare, setups_of
    from paddle_portrait.video.model import load_model
    from paddle_portrait.video.smoothing import FILTERS

    cv2.setNumThreads(1)
    predictor = load_model(model=model)
    setups = setups_of(FILTERS.own_names(), {}, EVERY, predictor.takes_prior)
    clips = [labelled_clip(KEYED, most)] if KEYED.is_dir() else []
    clips += [video_clip(path, most) for name in TALKING if (path := ROOT / "data/videos" / name).is_file()]
    figures = compare(predictor, [*clips, cut_clip(), fast_move_clip()], setups)
    return {
        "model": predictor.directory.name,
        "frames": most,
        "keyed": KEYED.name,
        "clips": figures,
        "cost_ms": {setup.name: cost_ms(setup) for setup in setups},
    }


def table(figures: Mapping[str, Any]) -> str:
    """Return a row for each filter as Markdown."""
    lines = [
        "| smoothing | dtSSD | MESSDdt | person IoU | MAE | warping error | instability | late: cut | fast move | ms |",
        "|---|" + "---|" * 9,
    ]
    clips = figures["clips"]
    keyed = clips.get(figures["keyed"], {})
    others = [clips[Path(name).stem] for name in TALKING if Path(name).stem in clips]
    for name, cost in figures["cost_ms"].items():
        truth = keyed.get(name, {})
        cells = [_thousandths([truth], "dtssd"), _thousandths([truth], "messddt")]
        cells += [f"{truth['person_iou']:.4f}" if truth else "–", _thousandths([truth], "mae")]
        without_truth = [other[name] for other in others]
        cells += [_thousandths(without_truth, "warping_error"), _thousandths(without_truth, "mask_instability")]
        cells += [_count(clips[event][name]["late"][event]) for event in ("cut", "fast_move")]
        lines.append(f"| {name} | {' | '.join(cells)} | {cost} |")
    return "\n".join(lines)


def _thousandths(values: Sequence[Mapping[str, float]], key: str) -> str:
    found = [one[key] for one in values if key in one]
    return f"{1000 * np.mean(found):.3g}" if found else "–"


def _count(value: int | None) -> str:
    return "–" if value is None else str(value)


def draw_strip(model: str | None) -> None:
    """Write how masks differ from those of the frame before, for each filter, on a generated portrait."""
    from functools import partial

    from paddle_portrait.data.synthesis.video import TalkingPerson
    from paddle_portrait.pictures import contact_sheet
    from paddle_portrait.preprocess import write_image
    from paddle_portrait.report.clips import Clip
    from paddle_portrait.report.steadiness import ClipMasks, Setup
    from paddle_portrait.video.model import load_model
    from paddle_portrait.video.smoothing import FILTERS

    scene = TalkingPerson(5, (180, 240))
    clip = Clip("generated", [scene.at(step / 25)[0] for step in range(max(_STEPS) + 1)])
    source = ClipMasks(load_model(model=model), clip)
    names = ["none", *(name for name in FILTERS.own_names() if name != "none")]
    masks = [source.masks(Setup(name, partial(FILTERS.build, name))) for name in names]
    rows = [[clip.frames[step], *(difference(one[step] - one[step - 1]) for one in masks)] for step in _STEPS]
    write_image(STRIP, contact_sheet(rows, ["frame", *names], (132, 176)))
    print(f"written: {STRIP}")


def difference(change: np.ndarray) -> np.ndarray:
    """Return a change of the probability as a picture: red where it rises, blue where it falls, white where not."""
    amount = np.clip(_AMPLIFIED * np.abs(change), 0, 1)[..., None]
    colour = np.where(change[..., None] > 0, np.float32([200, 30, 30]), np.float32([30, 60, 200]))
    return (255 + amount * (colour - 255)).astype(np.uint8)


def main() -> None:
    """Measure and record, or draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a zoo name or an exported directory (default: the zoo's)")
    parser.add_argument("--frames", type=int, default=78, help="at most so many of each clip (default: 78)")
    parser.add_argument("--strip", action="store_true", help="write the strip of difference pictures, measure nothing")
    arguments = parser.parse_args()
    if arguments.strip:
        draw_strip(arguments.model)
        return
    figures = measure(arguments.model, arguments.frames)
    record(NAME, figures)
    print(table(figures))
    write_between("video.md", f"{NAME}.py", table(figures))


if __name__ == "__main__":
    main()
