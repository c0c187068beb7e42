"""Sets made from sets: other backgrounds, face crops, binarised mattes; and what a plain folder can look like."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from paddle_portrait.cli.prepare_data import main
from paddle_portrait.data.prepare.crop_faces import crop_box, open_detector
from paddle_portrait.data.prepare.item import SkipItem
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess import read_image, read_mask, write_image


def fill(root: Path, masks: dict[str, np.ndarray], **lists: str) -> Path:
    """Write photos of noise with the given masks, and lists of their names."""
    for number, (name, mask) in enumerate(masks.items()):
        noise = np.random.default_rng(number).integers(0, 256, (*mask.shape, 3)).astype(np.uint8)
        write_image(root / f"images/{name}.png", noise)
        write_image(root / f"masks/{name}.png", mask)
    for split, listed in lists.items():
        lines = [f"images/{name}.png masks/{name}.png\n" for name in listed.split()]
        (root / f"{split}.txt").write_text("".join(lines))
    return root


def ramp(top: int = 255) -> np.ndarray:
    """Return a matte from 0 at the left to ``top`` at the right, 48 rows high."""
    return np.tile(np.linspace(0, top, 256).round().astype(np.uint8), (48, 1))


def bust() -> np.ndarray:
    """Return a mask of 0 and 255: a person who stands on the lower edge."""
    mask = np.zeros((64, 48), np.uint8)
    mask[24:, 12:36] = 255
    return mask


def report(out: Path) -> dict[str, list[str]]:
    """Return reason to the names that were skipped."""
    skipped = json.loads((out / "prepared.json").read_text(encoding="utf-8"))["skipped"]
    return {reason: [entry["name"] for entry in entries["files"]] for reason, entries in skipped.items()}


def test_binarise_splits_a_matte_above_127(tmp_path: Path) -> None:
    fill(tmp_path / "in", {"a": ramp(), "b": ramp()}, train="a", val="b")
    assert main(["binarise", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), np.where(ramp() > 127, 255, 0))
    assert (tmp_path / "out/val.txt").read_text() == "images/b.png masks/b.png\n"
    assert main(["binarise", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--threshold", "200"]) == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), np.where(ramp() > 200, 255, 0))


def test_binarise_reads_16_bits(tmp_path: Path) -> None:
    fill(tmp_path / "in", {"a": ramp()}, train="a")
    values = ramp().astype(np.uint16) * 257
    (tmp_path / "in/masks/a.png").write_bytes(cv2.imencode(".png", values)[1].tobytes())
    assert main(["binarise", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a.png"), np.where(ramp() > 127, 255, 0))


def test_binarise_refuses_class_numbers_and_odd_thresholds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "in", {"a": bust() // 255}, train="a")
    command = ["binarise", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    assert main(command) == 2 and "class indices" in capsys.readouterr().err
    assert main([*command, "--threshold", "255"]) == 2 and "--threshold is 255" in capsys.readouterr().err


def test_a_set_whose_lists_lead_nowhere_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "in", {"a": ramp(), "b": ramp()}, train="a b")
    (tmp_path / "in/masks/b.png").unlink()
    assert main(["compose", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 2
    assert "1 files of its lists do not exist" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["mask", "matte", "classes"])
def test_compose_puts_people_before_the_backgrounds_and_keeps_lists(kind: str, tmp_path: Path) -> None:
    mask = {"mask": bust(), "matte": bust() // 255 * 200, "classes": bust() // 255}[kind]
    fill(tmp_path / "in", {"a": mask, "b": mask}, train="a", val="b")
    for colour in (0, 250):
        write_image(tmp_path / f"backgrounds/{colour}.png", np.full((90, 120, 3), colour, np.uint8))
    command = ["compose", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--per_person", "4"]
    command += ["--backgrounds", str(tmp_path / "backgrounds"), "--landscape_prob", "1"]
    assert main(command) == 0
    assert len((tmp_path / "out/train.txt").read_text().splitlines()) == 4
    assert "a_bg" not in (tmp_path / "out/val.txt").read_text()
    for path in (tmp_path / "out/images").iterdir():
        image, made = read_image(path), read_mask(tmp_path / "out/masks" / f"{path.stem}.png")
        assert image.shape == (64, 114, 3) and made.shape == (64, 114)  # 16:9
        far = cv2.erode((made == 0).astype(np.uint8), np.ones((9, 9))) > 0
        assert far.sum() > 1000 and np.abs(image[far].astype(int) - np.median(image[far])).max() <= 12
        assert made.max() == {"mask": 255, "matte": 200, "classes": 1}[kind]
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*.*g")}
    assert main([*command[:4], *command[6:], "--per_person", "2"]) == 0
    fewer = {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*.*g")}
    assert len(fewer) == len(before) // 2 and all(before[name] == content for name, content in fewer.items())


def test_compose_has_generated_rooms(tmp_path: Path) -> None:
    fill(tmp_path / "in", {"a": bust()}, train="a")
    assert main(["compose", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    assert read_image(tmp_path / "out/images/a_bg0.jpg").std() > 5


def test_compose_refuses_wrong_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "in", {"a": bust()}, train="a")
    command = ["compose", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    for flags, words in (
        (["--per_person", "0"], "--per_person is 0"),
        (["--landscape_prob", "2"], "landscape_prob"),
        (["--backgrounds", str(tmp_path / "absent")], "does not exist"),
    ):
        assert main([*command, *flags]) == 2 and words in capsys.readouterr().err


def yunet_like(path: Path) -> Path:
    """Write a network with YuNet's inputs and outputs that sees a face of 64x64 where a cell of 32x32 is white."""
    nodes, outputs = [], []
    picked = helper.make_tensor("red", TensorProto.FLOAT, [1, 3, 1, 1], [0, 0, 1 / 255])
    constants = [picked]

    def constant(name: str, values: list[float], kind: int = TensorProto.FLOAT, shape: list[int] | None = None) -> str:
        constants.append(helper.make_tensor(name, kind, [len(values)] if shape is None else shape, values))
        return name

    nodes.append(helper.make_node("Conv", ["input", "red"], ["white"]))
    for stride in (8, 16, 32):
        # The darkest pixel of each cell: white cells alone stay above the threshold.
        nodes.append(helper.make_node("Neg", ["white"], [f"neg{stride}"]))
        pool = helper.make_node(
            "MaxPool", [f"neg{stride}"], [f"max{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2
        )
        nodes += [pool, helper.make_node("Neg", [f"max{stride}"], [f"cell{stride}"])]
        share = constant(f"on{stride}", [1.0 if stride == 32 else 0.0], shape=[1, 1, 1, 1])
        nodes.append(helper.make_node("Mul", [f"cell{stride}", share], [f"score{stride}"]))
        flat = constant(f"flat{stride}", [1, -1, 1], TensorProto.INT64)
        nodes.append(helper.make_node("Reshape", [f"score{stride}", flat], [f"cls_{stride}"]))
        nodes.append(helper.make_node("Identity", [f"cls_{stride}"], [f"obj_{stride}"]))
        zero = constant(f"zero{stride}", [0.0], shape=[1, 1, 1])
        nodes.append(helper.make_node("Mul", [f"cls_{stride}", zero], [f"none{stride}"]))
        box = constant(f"box{stride}", [0.0, 0.0, float(np.log(2)), float(np.log(2))], shape=[1, 1, 4])
        nodes.append(helper.make_node("Add", [f"none{stride}", box], [f"bbox_{stride}"]))
        points = constant(f"points{stride}", [0.0] * 10, shape=[1, 1, 10])
        nodes.append(helper.make_node("Add", [f"none{stride}", points], [f"kps_{stride}"]))
    for kind, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        outputs += [
            helper.make_tensor_value_info(f"{kind}_{s}", TensorProto.FLOAT, [1, None, width]) for s in (8, 16, 32)
        ]
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, None, None])
    graph = helper.make_graph(nodes, "faces", [image], outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def faces_photo(path: Path, size_hw: tuple[int, int], cells: list[tuple[int, int]]) -> None:
    """Write a dark photo with white cells of 32x32, given as row and column of the grid."""
    image = np.random.default_rng(len(cells)).integers(0, 60, (*size_hw, 3)).astype(np.uint8)
    for row, column in cells:
        image[row * 32 : row * 32 + 32, column * 32 : column * 32 + 32] = 255
    write_image(path, image)


def test_crop_faces_cuts_photo_and_mask_and_counts_the_others(tmp_path: Path) -> None:
    model = yunet_like(tmp_path / "faces.onnx")
    cases = {"one": [(5, 6)], "none": [], "two": [(2, 2), (6, 7)], "corner": [(0, 0)]}
    rows, columns = np.mgrid[:320, :384]
    for name, cells in cases.items():
        faces_photo(tmp_path / f"in/images/{name}.png", (320, 384), cells)
        write_image(tmp_path / f"in/masks/{name}.png", (rows // 4 + columns // 3 + 30).astype(np.uint8))
    lines = [f"images/{name}.png masks/{name}.png\n" for name in cases]
    (tmp_path / "in/val.txt").write_text("".join(lines))
    out = tmp_path / "out"
    flags = ["--face_model", str(model), "--min_size", "100"]
    assert main(["crop_faces", str(tmp_path / "in"), "--out", str(out), *flags]) == 0
    assert report(out) == {
        "no face": ["none_face"],
        "several faces": ["two_face"],
        "crop smaller than --min_size": ["corner_face"],
    }
    assert (out / "val.txt").read_text() == "images/one_face.jpg masks/one_face.png\n"
    # The face is 64x64 around the cell's upper left corner (192, 160): from 160, 128; grown by 64 on all sides.
    expected = (rows // 4 + columns // 3 + 30).astype(np.uint8)[64:256, 96:288]
    np.testing.assert_array_equal(read_mask(out / "masks/one_face.png"), expected)
    assert read_image(out / "images/one_face.jpg").shape == (192, 192, 3)


def test_crop_faces_takes_a_folder_of_large_photos_without_masks(tmp_path: Path) -> None:
    model = yunet_like(tmp_path / "faces.onnx")
    large = np.zeros((640, 1280, 3), np.uint8)  # looked at in half its size
    large[256:320, 640:704] = 255
    write_image(tmp_path / "in/holiday/large.png", large)
    assert main(["crop_faces", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--face_model", str(model)]) == 0
    assert (tmp_path / "out/test.txt").read_text() == "images/large_face.jpg\n"
    assert read_image(tmp_path / "out/images/large_face.jpg").shape == (384, 384, 3)


@pytest.mark.parametrize(
    ("faces", "expected"),
    [
        ([(100, 60, 40, 50)], (60, 20, 180, 150)),
        ([(10, 20, 40, 50)], (0, 0, 90, 110)),  # cut off by the photo
        ([(180, 90, 40, 50)], (140, 50, 200, 150)),
        ([], "no face"),
        ([(1, 1, 40, 50), (90, 9, 40, 50)], "several faces"),
        ([(100, 60, 10, 12)], "crop smaller than --min_size"),
        ([(-30, 60, 10, 12)], "crop smaller than --min_size"),
    ],
)
def test_the_box_grows_by_its_width(faces: list[tuple[int, int, int, int]], expected: tuple[int, ...] | str) -> None:
    if isinstance(expected, str):
        with pytest.raises(SkipItem, match=expected):
            crop_box(faces, (150, 200), 40)
    else:
        assert crop_box(faces, (150, 200), 40) == expected


@pytest.mark.skipif(hasattr(cv2, "CascadeClassifier"), reason="this OpenCV has a cascade")
def test_without_a_detector_the_model_file_is_asked_for() -> None:
    with pytest.raises(UserError, match=r"face_detection_yunet.*opencv_zoo"):
        open_detector(None, 0.8)


@pytest.mark.parametrize(("content", "words"), [(None, "does not exist"), (b"no network", "cannot read it")])
def test_a_wrong_face_model_is_named(content: bytes | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(UserError, match=words):
        open_detector(tmp_path / "m.onnx", 0.8)


def alpha_folder(root: Path) -> list[str]:
    """Cut-outs with the matte in their alpha."""
    fill(root, {"a": bust()})
    write_image(root / "masks/a.png", np.dstack([np.full((64, 48, 3), 9, np.uint8), bust()]))
    return ["--alpha"]


def one_folder(root: Path) -> list[str]:
    """Photos and masks side by side."""
    fill(root, {"a": bust()})
    (root / "images/a.png").rename(root / "a.png")
    (root / "masks/a.png").rename(root / "a_mask.png")
    return ["--images", ".", "--masks", ".", "--mask_suffix", "_mask"]


def class_folder(root: Path) -> list[str]:
    """Class numbers with an undecided row."""
    mask = bust() // 255
    mask[0] = 255
    fill(root, {"a": mask})
    return []


def jpeg_folder(root: Path) -> list[str]:
    """Masks that were saved as JPEG, which must be asked for."""
    fill(root, {"a": bust()})
    write_image(root / "masks/a.jpg", bust())
    (root / "masks/a.png").unlink()
    return ["--mask_format", "binary255"]


@pytest.mark.parametrize(
    ("build", "mask_format", "ignored"),
    [
        (alpha_folder, "soft", 0),
        (one_folder, "binary255", 0),
        (class_folder, "binary01", 48),
        (jpeg_folder, "binary255", 0),
    ],
)
def test_a_folder_may_hold_its_masks_in_several_ways(
    build: Callable[[Path], list[str]], mask_format: str, ignored: int, tmp_path: Path
) -> None:
    flags = build(tmp_path / "in")
    assert main(["folder", str(tmp_path / "in"), "--out", str(tmp_path / "out"), *flags]) == 0
    assert json.loads((tmp_path / "out/prepared.json").read_text())["mask_format"] == mask_format
    mask = read_mask(tmp_path / "out/masks/a.png")
    person = (mask == 1) if mask_format == "binary01" else (mask == 255)
    np.testing.assert_array_equal(person, bust() == 255)
    assert (mask == 255).sum() - ignored == (0 if mask_format == "binary01" else (bust() == 255).sum())


def test_jpeg_masks_are_refused_unless_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jpeg_folder(tmp_path / "in")
    assert main(["folder", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 2
    assert "JPEG" in capsys.readouterr().err
