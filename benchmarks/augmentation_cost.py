"""Milliseconds of one core for reading and augmenting one photo of 384x512 (width x height) into 192x192 or 224x224.

The clock counts the processor time of this process, so that other work on the machine blurs it little. PaddleSeg's
transforms of the same names and arguments are measured beside ours where the package is installed. Writes the table of
docs/augmentation.md; ``--table`` writes it from the figures that are there.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _page import write_between
from _record import RESULTS, record

from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms import Pipeline
from paddle_portrait.preprocess import read_image, read_mask
from paddle_portrait.registry import TRANSFORMS

SCALE = {"type": "ResizeStepScaling", "min_scale_factor": 0.375, "max_scale_factor": 0.625, "scale_step_size": 0}
COMMON: list[dict[str, Any]] = [
    {"type": "RandomRotation"},
    {"type": "RandomPaddingCrop", "crop_size": [192, 192]},
    {"type": "RandomHorizontalFlip"},
    {"type": "RandomDistort"},
    {"type": "RandomBlur", "prob": 0.3},
    {"type": "Normalize"},
]
CHAINS = {
    # The photo is scaled straight to the size that the window is cut from.
    "scale_and_crop": [SCALE, *COMMON],
    # PP-HumanSeg's own order: squeezed to the network's size first, then scaled.
    "pp_humanseg": [
        {"type": "Resize", "target_size": [192, 192]},
        {"type": "ResizeStepScaling", "min_scale_factor": 0.75, "max_scale_factor": 1.25, "scale_step_size": 0},
        *COMMON,
    ],
}
SIZE_HW = (512, 384)
NAME = "augmentation_cost"
WORDS = {
    "pp_humanseg": "the standard one, PP-HumanSeg's, at 192×192",
    "scale_and_crop": "the same, scaled straight to the size that the window is cut from",
    "portrait_net_224": "PortraitNet at 224×224",
    "portrait_net_video_224": "the same with `SimulatePrior`",
    "prisma_224": "Prisma at 224×224",
    "video_call_224": "video calls, on photos at full size, at 224×224",
}


def our_chains(backgrounds: str) -> dict[str, list[dict[str, Any]]]:
    """Return chains of transforms that PaddleSeg does not have; the photos of the folder are soon all in memory."""
    deformation, texture = {"type": "PortraitDeformation"}, {"type": "PortraitTexture"}
    to_224, normalize = {"type": "Resize", "target_size": [224, 224]}, {"type": "Normalize"}
    return {
        "portrait_net_224": [deformation, texture, normalize],
        "portrait_net_video_224": [deformation, {"type": "SimulatePrior"}, texture, normalize],
        "prisma_224": [
            {"type": "RandomRotation"},
            to_224,
            {"type": "RandomCurve"},
            {"type": "RandomShade"},
            {"type": "MotionBlur"},
            normalize,
        ],
        "video_call_224": [
            {"type": "RandomSecondPerson"},
            {"type": "RandomBackground", "backgrounds": backgrounds},
            to_224,
            {"type": "LowLight"},
            {"type": "JpegArtefacts"},
            normalize,
        ],
    }


def make_photo() -> Sample:
    """Return a smooth picture with grain and an oval for the person."""
    rng = np.random.default_rng(0)
    smooth = cv2.resize(rng.integers(0, 256, (12, 9, 3), dtype=np.uint8), SIZE_HW[::-1], interpolation=cv2.INTER_CUBIC)
    image = cv2.add(smooth, rng.normal(0, 4, smooth.shape), dtype=cv2.CV_8U)
    label = np.zeros(SIZE_HW, np.uint8)
    cv2.ellipse(label, (192, 330), (140, 240), 0, 0, 360, (1,), -1)
    return Sample(image, label, another=lambda rng: Sample(image, label))


def cost_ms(work: Callable[[int], object], repeats: int) -> float:
    """Return the mean processor time of ``work(k)``, the median of five rounds."""
    work(0)
    rounds = []
    for number in range(5):
        start = time.process_time()
        for k in range(repeats):
            work(number * repeats + k)
        rounds.append((time.process_time() - start) / repeats * 1e3)
    return float(np.median(rounds))


def our_chain(nodes: list[dict[str, Any]], photo: Sample, repeats: int) -> dict[str, float]:
    """Return the cost of each transform within its chain, and of all."""
    pipeline = Pipeline([TRANSFORMS.build_node(node) for node in nodes])
    costs: dict[str, float] = {}
    inputs = [photo] * repeats
    for step in pipeline.steps:
        outputs: dict[int, Sample] = {}

        def work(k: int, step: Any = step, inputs: list[Sample] = inputs, outputs: dict[int, Sample] = outputs) -> None:
            outputs[k % repeats] = step(inputs[k % repeats], np.random.default_rng(k))

        costs[type(step).__name__] = cost_ms(work, repeats)
        inputs = [outputs[k] for k in range(repeats)]
    batch = inputs[:32]
    costs["Normalize"] = cost_ms(lambda k: pipeline.to_tensor(batch), max(1, repeats // 32)) / len(batch)
    costs["all"] = sum(costs.values())
    return costs


def paddleseg_chain(nodes: list[dict[str, Any]], photo: Sample, repeats: int) -> float:
    """Return the cost of paddleseg's transforms of the same names."""
    import paddleseg.transforms as theirs

    compose = theirs.Compose(
        [getattr(theirs, node["type"])(**{k: v for k, v in node.items() if k != "type"}) for node in nodes]
    )
    bgr = cv2.cvtColor(photo.image, cv2.COLOR_RGB2BGR)

    def work(k: int) -> None:
        # As paddleseg reads photos: float32 from the first transform on.
        compose({"img": bgr.astype("float32"), "label": photo.label, "gt_fields": ["label"]})

    return cost_ms(work, repeats)


def reading(photo: Sample, repeats: int) -> dict[str, float]:
    """Return the cost of reading a JPEG photo and a PNG mask."""
    with tempfile.TemporaryDirectory() as folder:
        image, mask = str(Path(folder, "x.jpg")), str(Path(folder, "x.png"))
        cv2.imwrite(image, cv2.cvtColor(photo.image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
        cv2.imwrite(mask, (photo.label if photo.label is not None else photo.image) * np.uint8(255))
        return {
            "photo": cost_ms(lambda k: read_image(image), repeats),
            "mask": cost_ms(lambda k: read_mask(mask), repeats),
        }


def table(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    lines = ["| chain | ms | PaddleSeg's transforms, ms |", "|---|---|---|"]
    for name, words in WORDS.items():
        theirs = figures[name].get("paddleseg_all")
        lines.append(f"| {words} | {figures[name]['ours']['all']:.2f} | {'' if theirs is None else f'{theirs:.2f}'} |")
    reading = figures["reading"]
    lines.append(f"| reading photo and mask, before any of these | {reading['photo'] + reading['mask']:.2f} | |")
    return "\n".join(lines)


def main() -> None:
    """Measure, record, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=256, help="images a round (default: 256)")
    parser.add_argument("--table", action="store_true", help="write the table alone, from the figures that are there")
    arguments = parser.parse_args()
    if not arguments.table:
        record(NAME, _rounded(measure(arguments.repeats)))
    figures = json.loads((RESULTS / f"{NAME}.json").read_text(encoding="utf-8"))["figures"]
    print(f"written: {write_between('augmentation.md', f'{NAME}.py', table(figures))}")


def measure(repeats: int) -> dict[str, Any]:
    """Return the cost of reading and of every chain."""
    cv2.setNumThreads(1)
    photo = make_photo()
    figures: dict[str, Any] = {"unit": "ms of one core an image", "reading": reading(photo, repeats)}
    for name, nodes in CHAINS.items():
        figures[name] = {"ours": our_chain(nodes, photo, repeats)}
        if importlib.util.find_spec("paddleseg") is not None:
            figures[name]["paddleseg_all"] = paddleseg_chain(nodes, photo, repeats)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(16):
            room = cv2.resize(np.roll(photo.image, 20 * number, axis=0), (640, 360))
            cv2.imwrite(str(Path(folder, f"{number}.jpg")), room)
        for name, nodes in our_chains(folder).items():
            figures[name] = {"ours": our_chain(nodes, photo, repeats)}
    return figures


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
