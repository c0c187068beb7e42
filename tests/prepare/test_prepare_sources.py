"""Each source as its archive unpacks, with its quirks; the masks are checked against values known beforehand."""

from __future__ import annotations

import base64
import io
import json
import re
import shlex
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from paddle_portrait.cli.prepare_data import SOURCES, build_parser, main
from paddle_portrait.data.prepare.label_values import decode_runs, fill_polygon
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess import read_mask, write_image

ROOT = Path(__file__).resolve().parents[2]
H, W = 40, 30
BOX = (slice(10, 30), slice(5, 20))  # where the person of every fixture is


def photo(path: Path, number: int, size_hw: tuple[int, int] = (H, W)) -> None:
    """Write a picture of noise, another one for every number."""
    write_image(path, np.random.default_rng(number).integers(0, 256, (*size_hw, 3)).astype(np.uint8))


def box_mask(value: int = 1, size_hw: tuple[int, int] = (H, W)) -> np.ndarray:
    """Return a mask with the box set to a value."""
    mask = np.zeros(size_hw, np.uint8)
    mask[BOX] = value
    return mask


def palette_png(path: Path, indices: np.ndarray) -> None:
    """Write indices with a palette, as VOC and PP-HumanSeg do."""
    image = Image.fromarray(indices, "L").copy()
    image.putpalette([0, 0, 0, 128, 0, 0] + [7] * 762)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def build_aisegment(root: Path) -> None:
    """Three good pairs, and the faults of the archive: stray ._ files, an unreadable png, lone files."""
    for number in range(6):
        person = f"18032{number % 2}"
        photo(root / f"clip_img/{person}/clip_00000000/{person}-{number:08d}.jpg", number)
        matte = np.zeros((H, W, 4), np.uint8)
        matte[BOX] = (90, 80, 70, 200)
        path = root / f"matting/{person}/matting_00000000/{person}-{number:08d}.png"
        if number == 3:  # cut short
            write_image(path, matte)
            path.write_bytes(path.read_bytes()[:60])
        elif number == 4:  # no alpha
            write_image(path, matte[..., :3])
        elif number != 5:
            write_image(path, matte)
    (root / "matting/180320/._matting_00000000").write_bytes(b"\0\5\x16\7")
    (root / "clip_img/180320/clip_00000000/._180320-00000000.jpg").write_bytes(b"\0\5\x16\7")
    write_image(root / "matting/180321/matting_00000000/180321-00000099.png", np.zeros((H, W, 4), np.uint8))


def bitmap(mask: np.ndarray, left: int, top: int) -> dict[str, Any]:
    """Return a bitmap as Supervisely writes it: a palette PNG whose colour 0 is transparent."""
    image = Image.fromarray(mask.astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 255, 255, 255])
    stream = io.BytesIO()
    image.save(stream, format="PNG", transparency=0)
    return {"data": base64.b64encode(zlib.compress(stream.getvalue())).decode(), "origin": [left, top]}


def polygon(title: str, corners: list[list[int]], holes: list[list[list[int]]] | None = None) -> dict[str, Any]:
    """Return a polygon as Supervisely writes it."""
    return {"classTitle": title, "bitmap": None, "points": {"exterior": corners, "interior": holes or []}}


def build_supervisely(root: Path) -> None:
    """A bitmap, one that reaches out of the photo, a polygon with a hole and a neutral region, and three faults."""
    base = root / "Supervisely Person Dataset"
    write_json(base / "meta.json", {"classes": []})
    box = {"classTitle": "person_bmp", "bitmap": bitmap(np.ones((20, 15)), 5, 10), "points": {}}
    outside = {"classTitle": "person_bmp", "bitmap": bitmap(np.ones((20, 20)), -10, 30), "points": {}}
    square = [[5, 10], [19, 10], [19, 29], [5, 29]]
    hole = polygon("person_poly", square, [[[8, 13], [10, 13], [10, 15], [8, 15]]])
    neutral = polygon("neutral", [[0, 0], [W - 1, 0], [W - 1, 4], [0, 4]])
    cases: list[tuple[str, list[dict[str, Any]], list[Any]]] = [
        ("box", [box], []),
        ("outside", [outside], ["train"]),
        ("hole and neutral", [neutral, hole], [{"name": "multipart-person"}]),
        ("unmarked", [box], [{"name": "not-marked-people"}]),
        ("broken", [{**box, "bitmap": {"data": "!!", "origin": [0, 0]}}], []),
    ]
    for number, (name, objects, tags) in enumerate(cases):
        photo(base / f"ds1/img/{name}.png", number)
        content = {"size": {"height": H, "width": W}, "objects": objects, "tags": tags}
        write_json(base / f"ds1/ann/{name}.png.json", content)
    photo(base / "ds2/img/old.jpg", 9)
    write_json(base / "ds2/ann/old.json", {"size": {"height": H, "width": W}, "objects": [box], "tags": []})
    photo(base / "ds2/img/lone.jpg", 10)


# A mask of 4 rows and 5 columns whose person is rows 1 and 2 of columns 1 to 3, in COCO's compressed text, as
# pycocotools.mask.encode writes it: runs 5 2 2 2 2 2 5 down the columns.
SMALL_RUNS, SMALL_TEXT = [5, 2, 2, 2, 2, 2, 5], "5220003"


def build_coco(root: Path) -> None:
    """A polygon, crowds in both spellings, a wrong size, a missing photo and one without persons."""
    square = {"segmentation": [[5, 10, 20, 10, 20, 30, 5, 30]], "iscrowd": 0}
    crowd = {"segmentation": {"size": [4, 5], "counts": SMALL_RUNS}, "iscrowd": 1}
    dense = {"segmentation": {"size": [4, 5], "counts": SMALL_TEXT}, "iscrowd": 0}
    damaged = {"segmentation": {"size": [4, 5], "counts": [3, 2]}, "iscrowd": 1}
    small = (4, 5)
    cases: list[tuple[str, tuple[int, int], list[dict[str, Any]]]] = [
        ("polygon", (H, W), [square]),
        ("crowd", small, [crowd, {"segmentation": [[1, 1, 2, 1, 2, 2, 1, 2]], "iscrowd": 0}]),
        ("runs", small, [dense]),
        ("damaged", small, [damaged]),
        ("absent", (H, W), [square]),
        ("dog", (H, W), [{**square, "category_id": 18}]),
        ("other size", (H, W), [square]),
    ]
    images, annotations = [], []
    for number, (name, size_hw, objects) in enumerate(cases):
        images.append({"id": number, "file_name": f"{name}.jpg", "height": size_hw[0], "width": size_hw[1]})
        annotations += [{"id": 1, "image_id": number, "category_id": 1, **found} for found in objects]
        if name != "absent":
            photo(root / f"train2017/{name}.jpg", number, (20, 20) if name == "other size" else size_hw)
    categories = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write_json(root / "annotations/instances_train2017.json", content)
    photo(root / "images/val2017/v.jpg", 50)
    entry, found = {"id": 7, "file_name": "v.jpg", "height": H, "width": W}, {"image_id": 7, "category_id": 1, **square}
    write_json(
        root / "annotations/instances_val2017.json",
        {"images": [entry], "annotations": [found], "categories": categories},
    )
    write_json(root / "annotations/instances_test2017.json", content)


def build_voc(root: Path) -> None:
    """Persons with an undecided rim, a photo of a cat, a mask in colours and a mask without a photo."""
    base = root / "VOCdevkit/VOC2012"
    for number, name in enumerate(("2007_01", "2007_02", "2007_cat", "2007_rgb")):
        photo(base / f"JPEGImages/{name}.jpg", number)
        mask = box_mask(8 if name.endswith("cat") else 15)
        mask[9, 5:20] = 255
        mask[0, 0] = 20
        palette_png(base / f"SegmentationClass/{name}.png", mask)
    write_image(base / "SegmentationClass/2007_rgb.png", np.random.default_rng(0).integers(0, 255, (H, W, 3), np.uint8))
    palette_png(base / "SegmentationClass/2007_lone.png", box_mask(15))
    (base / "ImageSets/Segmentation").mkdir(parents=True)
    (base / "ImageSets/Segmentation/train.txt").write_text("2007_01\n2007_cat\n")
    (base / "ImageSets/Segmentation/val.txt").write_text("2007_02\n")


def build_eg1800(root: Path) -> None:
    """The authors' release: .mat masks and lists; one mask damaged, one photo without a mask."""
    (root / "images_mask").mkdir(parents=True)
    for number in range(1, 8):
        photo(root / f"images_data_crop/{number:05d}.jpg", number)
        if number < 7:
            savemat(root / f"images_mask/{number:05d}_mask.mat", {"mask": box_mask(255 if number == 2 else 1)})
    (root / "images_mask/00005_mask.mat").write_bytes(b"no matrix")
    savemat(root / "trainlist.mat", {"trainlist": np.array([[1, 2, 3, 5, 7]])})
    savemat(root / "testlist.mat", {"testlist": np.array([[4], [6]])})


def build_eg1800_png(root: Path) -> None:
    """A copy in use since: PNG masks named differently, text lists."""
    for number in (1, 2):
        photo(root / f"EG1800/images_data_crop/{number:05d}.jpg", number)
        write_image(root / f"EG1800/GT_png/{number:05d}_mask.png", box_mask(255))
    (root / "EG1800/EG1800_train.txt").write_text("00001.jpg\n")
    (root / "EG1800/EG1800_val.txt").write_text("00002.jpg\n")


def build_p3m(root: Path) -> None:
    """All three parts; one matte has no photo, one another size."""
    parts = (("train", "blurred_image"), ("validation/P3M-500-P", "blurred_image"))
    for part, folder in (*parts, ("validation/P3M-500-NP", "original_image")):
        for number in range(2):
            photo(root / f"P3M-10k/{part}/{folder}/p_{number}.jpg", hash_of(part) + number)
            write_image(root / f"P3M-10k/{part}/mask/p_{number}.png", box_mask(128 + number))
    write_image(root / "P3M-10k/train/mask/p_9.png", box_mask())
    write_image(root / "P3M-10k/train/mask/p_1.png", np.full((H, W + 1), 255, np.uint8))


def hash_of(text: str) -> int:
    """Return a number for a text, the same in every process."""
    return zlib.crc32(text.encode())


def build_pp_humanseg14k(root: Path) -> None:
    """Palette masks, greys of a viewer, strange values, a test list without masks."""
    for number, value in enumerate((1, 38, 255, 99)):
        split = "train" if number != 1 else "val"
        photo(root / f"{split}/images/f {number}.jpg", number)
        if value == 1:
            palette_png(root / f"{split}/annotations/f {number}.png", box_mask(1))
        else:
            write_image(root / f"{split}/annotations/f {number}.png", box_mask(value))
    photo(root / "test/images/f 9.jpg", 9)
    lines = [f"train/images/f {n}.jpg train/annotations/f {n}.png" for n in (0, 2, 3)]
    (root / "train.txt").write_text("\n".join(lines))
    (root / "val.txt").write_text("val/images/f 1.jpg val/annotations/f 1.png\n")
    (root / "test.txt").write_text("test/images/f 9.jpg\n")


def build_folder(root: Path) -> None:
    """Photos and mattes in sub-folders, a file manager's droppings, lone files on both sides."""
    for number, name in enumerate(("a/x", "b/x", "ü y")):
        photo(root / f"images/{name}.jpg", number)
        write_image(root / f"masks/{name}.png", box_mask(177))
    photo(root / "images/lone.jpg", 8)
    write_image(root / "masks/lone mask.png", box_mask())
    (root / "images/.DS_Store").write_bytes(b"x")
    (root / "images/Thumbs.db").write_bytes(b"x")


def run(kind: str, root: Path, out: Path, *flags: str) -> tuple[int, dict[str, Any]]:
    """Run the command and return its exit code and report."""
    code = main([kind, str(root), "--out", str(out), *flags])
    report = out / "prepared.json"
    return code, json.loads(report.read_text(encoding="utf-8")) if report.is_file() else {}


def listed(out: Path, split: str) -> list[str]:
    """Return the names of the pictures in a list, whose files must exist."""
    path = out / f"{split}.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    pairs = [line.rsplit(" ", 1) for line in lines]
    assert all((out / file).is_file() for pair in pairs for file in pair)
    return [Path(pair[0]).stem for pair in pairs]


Case = tuple[Callable[[Path], None], dict[str, set[str]], dict[str, int]]
CASES: dict[str, Case] = {
    "aisegment": (
        build_aisegment,
        {
            "train|val": {
                "180320_clip_00000000_180320-00000000",
                "180320_clip_00000000_180320-00000002",
                "180321_clip_00000000_180321-00000001",
            }
        },
        {
            "hidden or system file": 2,
            "mask cannot be read": 2,
            "photo without a matte": 1,
            "matte without a photo": 1,
        },
    ),
    "supervisely": (
        build_supervisely,
        {"train|val": {"ds1_box", "ds1_outside", "ds1_hole_and_neutral", "ds2_old"}},
        {"tagged not-marked-people": 1, "mask cannot be read": 1, "photo without an annotation": 1},
    ),
    "coco": (
        build_coco,
        {"train": {"train2017_polygon", "train2017_crowd", "train2017_runs"}, "val": {"val2017_v"}},
        {
            "mask cannot be read": 1,
            "photo not there": 1,
            "photo without persons": 1,
            "mask and photo differ in size": 1,
            "annotations without a folder of photos": 1,
        },
    ),
    "voc": (
        build_voc,
        {"train": {"2007_01"}, "val": {"2007_02"}},
        {"no person in the mask": 1, "mask cannot be read": 1, "mask without a photo": 1},
    ),
    "eg1800": (
        build_eg1800,
        {"train|val": {"00001", "00002", "00003"}, "test": {"00004", "00006"}},
        {"mask cannot be read": 1, "photo without a mask": 1},
    ),
    "eg1800 png": (build_eg1800_png, {"train": {"00001"}, "val": {"00002"}}, {}),
    "p3m": (
        build_p3m,
        {
            "train": {"train_p_0"},
            "val": {"P3M-500-P_p_0", "P3M-500-P_p_1"},
            "test": {f"P3M-500-NP_p_{n}" for n in (0, 1)},
        },
        {"matte without a photo": 1, "mask and photo differ in size": 1},
    ),
    "pp_humanseg14k": (
        build_pp_humanseg14k,
        {"train": {"train_images_f_0", "train_images_f_2"}, "val": {"val_images_f_1"}},
        {"mask cannot be read": 1, "frame without a mask": 1},
    ),
    "folder": (
        build_folder,
        {"train|val": {"a_x", "b_x", "ü_y"}},
        {"hidden or system file": 2, "photo without a mask": 1, "mask without a photo": 1},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_source_gives_its_lists_and_counts_what_it_leaves_out(name: str, tmp_path: Path) -> None:
    build, lists, skipped = CASES[name]
    build(tmp_path / "in")
    code, report = run(name.split()[0], tmp_path / "in", tmp_path / "out")
    assert code == 0
    for splits, names in lists.items():
        assert {found for split in splits.split("|") for found in listed(tmp_path / "out", split)} == names
    assert sum(report["lists"].values()) == sum(map(len, lists.values())) == report["usable"]
    assert {reason: entry["count"] for reason, entry in report["skipped"].items()} == skipped
    if any("|" in splits for splits in lists):
        assert len(listed(tmp_path / "out", "val")) == 1
    kept = {path.stem for path in (tmp_path / "out/images").iterdir()}
    assert kept == {path.stem for path in (tmp_path / "out/masks").iterdir()} == set().union(*lists.values())


def with_rim(mask: np.ndarray) -> np.ndarray:
    """Return the mask of VOC with its undecided row."""
    mask[9, 5:20] = 255
    return mask


def expected_hole() -> np.ndarray:
    """Return the polygon with its hole and the neutral region above."""
    mask = box_mask()
    mask[13:16, 8:11] = 0
    mask[0:5] = 255
    return mask


def runs_mask() -> np.ndarray:
    """Return the small mask of the run lengths."""
    mask = np.zeros((4, 5), np.uint8)
    mask[1:3, 1:4] = 1
    return mask


def corner_mask() -> np.ndarray:
    """Return what is left in the photo of a bitmap at -10, 30 of 20x20."""
    mask = np.zeros((H, W), np.uint8)
    mask[30:, :10] = 1
    return mask


def crowd_mask() -> np.ndarray:
    """Return the crowd, ignored, with the one person that is marked in it."""
    mask = runs_mask() * 255
    mask[1, 1] = 1
    return mask


@pytest.mark.parametrize(
    ("kind", "build", "flags", "picture", "mask"),
    [
        ("aisegment", build_aisegment, [], "180320_clip_00000000_180320-00000000", box_mask(200)),
        ("supervisely", build_supervisely, [], "ds1_box", box_mask()),
        ("supervisely", build_supervisely, [], "ds1_outside", corner_mask()),
        ("supervisely", build_supervisely, [], "ds1_hole_and_neutral", expected_hole()),
        ("coco", build_coco, [], "train2017_polygon", box_mask()),
        ("coco", build_coco, [], "train2017_runs", runs_mask()),
        ("coco", build_coco, [], "train2017_crowd", crowd_mask()),
        ("coco", build_coco, ["--crowd", "person"], "train2017_crowd", runs_mask()),
        ("coco", build_coco, ["--with_empty"], "train2017_dog", np.zeros((H, W), np.uint8)),
        ("voc", build_voc, [], "2007_01", with_rim(box_mask())),
        ("eg1800", build_eg1800, [], "00001", box_mask(255)),
        ("eg1800", build_eg1800, [], "00002", box_mask(255)),
        ("eg1800", build_eg1800_png, [], "00002", box_mask(255)),
        ("p3m", build_p3m, [], "P3M-500-NP_p_1", box_mask(129)),
        ("pp_humanseg14k", build_pp_humanseg14k, [], "train_images_f_0", box_mask(255)),
        ("pp_humanseg14k", build_pp_humanseg14k, [], "val_images_f_1", box_mask(255)),
        ("folder", build_folder, [], "a_x", box_mask(177)),
    ],
)
def test_the_mask_is_the_annotated_one(
    kind: str, build: Callable[[Path], None], flags: list[str], picture: str, mask: np.ndarray, tmp_path: Path
) -> None:
    build(tmp_path / "in")
    code, _ = run(kind, tmp_path / "in", tmp_path / "out", *flags)
    assert code == 0
    np.testing.assert_array_equal(read_mask(tmp_path / f"out/masks/{picture}.png"), mask)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("aisegment", ["no AISegment set", "clip_img, matting"]),
        ("supervisely", ["no Supervisely Person set", "meta.json"]),
        ("coco", ["no COCO set", "annotations"]),
        ("voc", ["no Pascal VOC set", "JPEGImages, SegmentationClass"]),
        ("eg1800", ["no EG1800 set", "images_data_crop and images_mask", "Images and Labels"]),
        ("p3m", ["no P3M-10k set", "train, validation"]),
        ("pp_humanseg14k", ["no PP-HumanSeg14K set", "train.txt"]),
        ("folder", ["no such folder", "--images"]),
        ("compose", ["no prepared set", "train.txt"]),
        ("binarise", ["no prepared set", "train.txt"]),
    ],
)
def test_a_wrong_folder_is_told_from_a_right_one(
    kind: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in/holiday").mkdir(parents=True)
    (tmp_path / "in/notes.doc").touch()
    assert main([kind, str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert all(word in message for word in [*words, "There is: holiday/, notes.doc."]), message
    assert not (tmp_path / "out").exists()
    assert main([kind, str(tmp_path / "absent"), "--out", str(tmp_path / "out")]) == 2
    assert "not exist" in (text := capsys.readouterr().err) or "no such folder" in text


def test_what_annotation_tools_export_as_coco_is_read(tmp_path: Path) -> None:
    photo(tmp_path / "in/images/default/monday/anna.jpg", 1)
    entry = {"id": 1, "file_name": "monday/anna.jpg", "height": H, "width": W}
    square = {"image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": [[5, 10, 20, 10, 20, 30, 5, 30]]}
    content = {"images": [entry], "annotations": [square], "categories": [{"id": 1, "name": "person"}]}
    write_json(tmp_path / "in/annotations/instances_default.json", content)
    code, _ = run("coco", tmp_path / "in", tmp_path / "out")
    assert code == 0 and listed(tmp_path / "out", "train") == ["default_monday_anna"]


# What pycocotools.mask.encode made of a disc: runs that grow and shrink, numbers of one and of two characters.
DISC = "hn0=\\16K4L4M2M4M2N2N2O0O2N2O0O2O0O2O000O2O000000000000000000000001N10001N101N101N2N101N2N2N3L3N3L4L5J_k0"


def test_compressed_run_lengths_are_read_as_coco_writes_them() -> None:
    rows, columns = np.mgrid[:60, :80]
    np.testing.assert_array_equal(decode_runs(DISC, (60, 80)), (rows - 30) ** 2 + (columns - 40) ** 2 < 25**2)


@pytest.mark.parametrize("counts", [[], [19], [10, 11], [-1, 21], "5220004", DISC])
def test_run_lengths_that_do_not_fill_the_picture_are_refused(counts: str | list[int]) -> None:
    with pytest.raises(UserError, match="5x4 = 20"):
        decode_runs(counts, (4, 5))


@pytest.mark.parametrize(
    ("corners", "area"),
    [
        ([[10, 10], [20, 10], [20, 20], [10, 20]], 100),
        ([[-5, -5], [10, -5], [10, 10], [-5, 10]], 100),  # reaches out of the picture
        ([[0, 0], [40, 0], [0, 40]], 780),  # 40 + 39 + … + 1 less the centres on the long side
        ([[10, 10], [10, 10], [10, 10]], 0),
        ([[3, 3]], 0),
        ([[50, 50], [60, 50], [60, 60]], 0),
    ],
)
def test_polygons_take_the_pixels_whose_centres_they_hold(corners: list[list[int]], area: int) -> None:
    assert fill_polygon(np.array(corners, np.float64), (40, 40)).sum() == area


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "JSONDecodeError"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "dog"}]}', "category person"),
        ("[]", "TypeError"),
    ],
)
def test_a_damaged_coco_file_is_named(
    content: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "train2017").mkdir()
    (tmp_path / "annotations/instances_train2017.json").write_text(content)
    assert main(["coco", str(tmp_path), "--out", str(tmp_path.with_name("out"))]) == 2
    message = capsys.readouterr().err
    assert "instances_train2017.json" in message and words in message


def test_documented_commands_are_understood() -> None:
    text = (ROOT / "docs/data.md").read_text(encoding="utf-8")
    found = re.findall(r"^python tools/prepare_data\.py (.*)$", text, re.MULTILINE)
    parsed = [build_parser().parse_args(shlex.split(command, comments=True)) for command in found]
    assert {arguments.source for arguments in parsed} == set(SOURCES)
