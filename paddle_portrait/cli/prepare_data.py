"""``tools/prepare_data.py``: data sets of others as images, masks and lists."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

# Name, what its folder is, for the help; the module of that name in data/prepare knows the rest.
SOURCES = {
    "aisegment": "AISegment matting human datasets: clip_img/ and matting/",
    "supervisely": "Supervisely Person: meta.json, ds1/img, ds1/ann, …",
    "coco": "COCO: annotations/instances_*.json and train2017/, val2017/ (or below images/); persons only",
    "voc": "Pascal VOC: JPEGImages/, SegmentationClass/, ImageSets/; persons only",
    "eg1800": "EG1800: images_data_crop/ and images_mask/ (.mat), GT_png/, or Images/ and Labels/",
    "p3m": "P3M-10k: train/ and validation/",
    "pp_humanseg14k": "PP-HumanSeg14K: train.txt, val.txt, test.txt and what they name",
    "folder": "photos and masks or mattes in folders of their own, matched by name",
    "compose": "people of a prepared set before photos of backgrounds, or generated rooms",
    "crop_faces": "photos with one face (a prepared set, or a folder), cut to the face's surroundings",
    "binarise": "a prepared set with mattes: masks of 0 and 255",
}
KEEP_LISTS = ("compose", "crop_faces", "binarise")  # made from a prepared set, whose lists hold on


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="prepare_data.py",
        description="Turn a data set into images/, masks/, train.txt and val.txt; prepared.json says what was left out "
        "and why. A second run changes nothing, an interrupted one goes on. Exits 1 when no picture was usable.",
    )
    commands = parser.add_subparsers(dest="source", required=True, metavar="SOURCE")
    for name, text in SOURCES.items():
        command = commands.add_parser(name, help=text, description=text)
        add = command.add_argument
        add("root", type=Path, metavar="DIR", help="folder of the source")
        add("--out", type=Path, required=True, metavar="DIR", help="folder of the prepared set")
        add("--seed", type=int, default=0, help="which pictures are drawn (default: 0)")
        if name not in KEEP_LISTS:
            add("--val_share", type=float, default=0.1, help="for val.txt, where the source has none (default: 0.1)")
        add("--min_share", type=float, default=0.0, help="smallest share of the person in a picture (default: 0)")
        add("--with_empty", action="store_true", help="keep pictures without a person")
        if name not in ("compose", "crop_faces"):
            add("--link", action="store_true", help="link to the photos instead of copying them")
        _add_own(name, command)
    return parser


def _add_own(name: str, command: argparse.ArgumentParser) -> None:
    """Add the flags that one source alone has."""
    add = command.add_argument
    if name == "coco":
        add("--crowd", choices=("ignore", "person"), default="ignore", help="what crowds become (default: ignore)")
    if name == "folder":
        formats = ("auto", "binary01", "binary255", "soft")
        add("--images", default="images", metavar="DIR", help="folder of the photos below the root (default: images)")
        add("--masks", default="masks", metavar="DIR", help="folder of the masks below the root (default: masks)")
        add("--mask_suffix", default="", metavar="TEXT", help="end of the masks' names, such as _mask")
        add("--mask_format", choices=formats, default="auto", help="what mask values mean (default: auto)")
        add("--alpha", action="store_true", help="the matte is the alpha channel of the mask files")
    if name == "compose":
        add("--backgrounds", type=Path, metavar="DIR", help="photos without people (default: generated rooms)")
        add("--per_person", type=int, default=1, metavar="N", help="pictures of each person (default: 1)")
        add("--landscape_prob", type=float, default=0.5, help="how often the frame is wide, 0..1 (default: 0.5)")
    if name == "crop_faces":
        add("--face_model", type=Path, metavar="FILE", help="YuNet ONNX file; needed where OpenCV has no cascade (5.x)")
        add("--face_score", type=float, default=0.8, help="smallest score of a face for it (default: 0.8)")
        add("--min_size", type=int, default=128, metavar="PIXELS", help="shortest side of a crop (default: 128)")
    if name == "binarise":
        add("--threshold", type=int, default=127, help="person is what is above it, of 255 (default: 127)")


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare a data set; return 0, or 1 when no picture was usable."""
    arguments = build_parser().parse_args(argv)
    from paddle_portrait.console import run_command

    return run_command(lambda: _prepare(arguments))


def _prepare(arguments: argparse.Namespace) -> int:
    from paddle_portrait.data.prepare import Options, prepare
    from paddle_portrait.data.prepare.sources import scan_source

    source = scan_source(arguments.source, arguments.root, arguments.out, arguments)
    names = ("seed", "val_share", "min_share", "with_empty", "link")
    outcome = prepare(source, arguments.out, Options(**{n: getattr(arguments, n) for n in names if n in arguments}))
    print(outcome.summary())
    return 0 if outcome.usable else 1
