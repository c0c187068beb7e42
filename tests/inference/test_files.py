"""Segmenting files: which inputs are meant, what is written, and how broken and huge ones end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paddle_portrait.errors import UserError
from paddle_portrait.inference.files import Drawing, parse_colours, predict_files
from paddle_portrait.inference.inputs import InputImage, find_images
from paddle_portrait.preprocess import read_image, write_image

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def album(tmp_path):
    """Return a folder of small pictures and other things."""
    for name in ("a.jpg", "a.png", "b c.JPEG", "deep/er/ü.webp", ".hidden/x.jpg", ".y.jpg", "results/mask/a.png"):
        write_image(tmp_path / Path(name).with_suffix(".png"), np.zeros((4, 4, 3), np.uint8))
        (tmp_path / Path(name).with_suffix(".png")).rename(tmp_path / name)
    write_image(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "notes.md").write_text("no picture")
    (tmp_path / "list.txt").write_text("a.jpg masks/a.png\n\nb c.JPEG\nb c.JPEG masks/b.png\nmissing.jpg\n")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("", ["a_jpg", "a_png", "b c", "deep/er/ü"]),
        ("a.png", ["a"]),
        ("*.jpg", ["a"]),
        ("**/*.*[gG]", ["a_jpg", "a_png", "b c"]),
        ("deep/**/*", ["er/ü"]),
        ("list.txt", ["a", "b c", "missing"]),
    ],
)
def test_inputs(source, names, album):
    assert [image.name for image in find_images(album / source, album / "results")] == names


def test_inputs_of_one_name_from_two_folders(album):
    (album / "two.txt").write_text("a.jpg\n../elsewhere/a.jpg\n")
    assert [image.name for image in find_images(album / "two.txt")] in (["a_jpg", "a_jpg_2"], ["a", "a_2"])


@pytest.mark.parametrize(
    ("source", "complaint"),
    [("nothing.jpg", "does not exist"), ("*.bmp", "holds no picture"), ("empty", "holds no picture")],
)
def test_inputs_refused(source, complaint, album):
    (album / "empty").mkdir()
    with pytest.raises(UserError, match=complaint):
        find_images(album / source)


def test_a_bad_line_of_a_list_is_told_with_its_number(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "good.png")
    listed = tmp_path / "list.txt"
    listed.write_text("good.png\n\ngone.png label.png\ngood.png\n")
    summary = predict_files(left_half, find_images(listed), tmp_path / "out")
    assert summary.written == [tmp_path / "good.png"]
    (reason,) = summary.failed.values()
    assert reason.startswith(f"{listed}:3: ") and "gone.png" in reason and "does not exist" in reason


def left_half(image):
    probability = np.zeros(image.shape[:2], np.float32)
    probability[:, : image.shape[1] // 2] = 1
    return probability


def test_results(tmp_path):
    """A photo that the camera took on its side: what is left in the upright picture is left in the results."""
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:, :30] = (10, 200, 30)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(upright)).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes((tmp_path / "turned.jpg").read_bytes()[:200])
    gone = tmp_path / "gone.jpg"
    images = [InputImage(broken, "broken"), InputImage(gone, "gone"), InputImage(tmp_path / "turned.jpg", "sub/ü")]

    summary = predict_files(left_half, images, tmp_path / "out")

    assert summary.written == [tmp_path / "turned.jpg"]
    assert set(summary.failed) == {broken, gone}
    assert all(str(path) in reason for path, reason in summary.failed.items())
    assert {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")} == {
        *("probability/sub/ü.png", "mask/sub/ü.png", "overlay/sub/ü.jpg", "cutout/sub/ü.png"),
    }
    grey = np.where(np.arange(60) < 30, 255, 0)[None].repeat(40, 0)
    with Image.open(tmp_path / "out/probability/sub/ü.png") as probability:
        assert probability.mode == "L"
        np.testing.assert_array_equal(np.asarray(probability), grey)
    with Image.open(tmp_path / "out/mask/sub/ü.png") as mask:
        assert mask.mode == "L"
        np.testing.assert_array_equal(np.asarray(mask), grey)
    with Image.open(tmp_path / "out/cutout/sub/ü.png") as cutout:
        assert cutout.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(cutout)[..., 3], grey)
        np.testing.assert_allclose(np.asarray(cutout)[20, 10, :3], (10, 200, 30), atol=12)
    assert read_image(tmp_path / "out/overlay/sub/ü.jpg").shape == (40, 60, 3)


def test_custom_colours(tmp_path, photo):
    write_image(tmp_path / "p.png", photo)
    colours = parse_colours([9, 8, 7, 1, 2, 3])
    predict_files(left_half, [InputImage(tmp_path / "p.png", "p")], tmp_path, colours)
    mask = read_image(tmp_path / "mask/p.png")
    assert mask[0, 0].tolist() == [1, 2, 3] and mask[0, -1].tolist() == [9, 8, 7]


@pytest.mark.parametrize("values", [[], [1, 2, 3], [0, 0, 0, 0, 0, 256], [-1, 0, 0, 0, 0, 0]])
def test_colours_refused(values):
    with pytest.raises(UserError, match="give six numbers"):
        parse_colours(values)


def test_a_photo_of_fifty_megapixels(make_export, tmp_path):
    """The whole road, from the file to four results, stays under 1.5 GB."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak memory of a process itself is read from /proc")
    smooth = Image.effect_noise((8, 6), 60).resize((8192, 6144)).convert("RGB")
    smooth.save(tmp_path / "huge.jpg")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from paddle_portrait.cli.predict import main\n"
        "code = main(sys.argv[1:])\n"
        # Not getrusage: its peak begins with that of the process that started this one.
        "peak = Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]\n"
        "print('MEGABYTES', int(peak) // 1024)\n"
        "sys.exit(code)\n"
    )
    arguments = ["--model", make_export(), "--image_path", tmp_path / "huge.jpg", "--save_dir", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    peak = int(done.stdout.split("MEGABYTES")[1])
    print(f"peak {peak} MB")
    assert peak < 1500
    with Image.open(tmp_path / "out/cutout/huge.png") as cutout:
        assert cutout.size == (8192, 6144)


def test_an_effect_is_drawn_beside_the_masks(tmp_path):
    write_image(tmp_path / "ü.png", np.full((20, 30, 3), 90, np.uint8))
    images = [InputImage(tmp_path / "ü.png", "deep/ü")]
    transparent = Drawing(lambda image, person: np.dstack([image, (person * 255).astype(np.uint8)]), ".webp")
    summary = predict_files(left_half, images, tmp_path / "out", drawing=transparent)
    assert len(summary.written) == 1
    drawn = np.asarray(Image.open(tmp_path / "out" / "effect" / "deep" / "ü.webp").convert("RGBA"))
    assert np.all(drawn[:, :15] == (90, 90, 90, 255))
    assert np.all(drawn[:, 15:, 3] == 0)
