"""Labels by agreement: what is kept and why, what training reads of it, and how runs go on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from paddle_portrait.errors import UserError
from paddle_portrait.inference.agreement import Limits, compare, mirrored
from paddle_portrait.inference.inputs import find_images
from paddle_portrait.inference.pseudo_labels import PseudoLabeller
from paddle_portrait.preprocess import read_image, read_mask, write_image

ROOT = Path(__file__).resolve().parents[2]


def columns(first, last, value=1.0, width=10):
    """Return a probability of 4 rows that is ``value`` in columns first..last-1."""
    answer = np.zeros((4, width), np.float32)
    answer[:, first:last] = value
    return answer


def test_the_opinion_by_hand():
    opinion = compare({"a": columns(0, 4), "b": columns(0, 5, 0.8), "c": columns(1, 5, 0.6)})
    assert opinion.pairs == {("a", "b"): 4 / 5, ("a", "c"): 3 / 5, ("b", "c"): 4 / 5}
    assert opinion.agreement == 3 / 5
    # (1 + .8)/3, (1 + .8 + .6)/3, (.8 + .6)/3 = .467: the last is no person
    np.testing.assert_allclose(opinion.probability[0], [0.6, 0.8, 0.8, 0.8, 1.4 / 3, 0, 0, 0, 0, 0], rtol=1e-6)
    assert opinion.person_share == 0.4


@pytest.mark.parametrize(
    ("answers", "limits", "objection"),
    [
        ((columns(0, 4), columns(0, 4)), Limits(1.0), None),
        ((columns(0, 4), columns(0, 5)), Limits(0.8), None),
        ((columns(0, 4), columns(0, 5)), Limits(0.81), "a and b disagree: IoU 0.800"),
        ((columns(0, 0), columns(0, 0)), Limits(), "too little"),
        ((columns(0, 10), columns(0, 10)), Limits(), "too much"),
        ((columns(0, 0), columns(0, 0)), Limits(0.9, 0.0, 0.5), None),
        # Unsure of the same pixels: one half is nobody.
        ((columns(0, 4, 0.5), columns(0, 4, 0.5)), Limits(), "too little"),
    ],
)
def test_what_is_kept(answers, limits, objection):
    found = compare(dict(zip("ab", answers, strict=True))).objection(limits)
    assert found is None if objection is None else objection in found


@pytest.mark.parametrize("wrong", [(0.0,), (1.1,), (0.9, 0.5, 0.2), (0.9, -0.1, 0.5), (0.9, 0.1, 1.5), (float("nan"),)])
def test_limits_that_make_no_sense(wrong):
    with pytest.raises(UserError):
        Limits(*wrong)


def test_mirrored_answers_are_turned_back():
    both = mirrored(lambda image: columns(0, 2) if image[0, 0, 0] == 0 else columns(0, 1))
    image = np.zeros((4, 10, 3), np.uint8)
    image[:, 9] = 255  # mirrored, the first column is 255
    np.testing.assert_array_equal(both(image)[0], [0.5 + 0.5 * 0, 0.5, 0, 0, 0, 0, 0, 0, 0, 0.5])


class Counting:
    """A teacher that finds bright pixels, of a threshold of its own, and counts its photos."""

    def __init__(self, threshold):
        self.threshold, self.asked = threshold, 0

    def __call__(self, image):
        self.asked += 1
        return np.where(image[..., 0] > self.threshold, np.float32(0.9), np.float32(0.1))


@pytest.fixture
def album(tmp_path):
    """Return a folder with two clear photos, one of doubtful brightness, an empty one and a broken one."""
    folder = tmp_path / "photos of mine"
    for name, brightness in (("clear", 250), ("deep/clear too", 240), ("doubtful", 150), ("nobody", 0)):
        picture = np.zeros((20, 30, 3), np.uint8)
        picture[5:15, 5:20] = brightness
        write_image(folder / f"{name}.png", picture)
    (folder / "broken.png").write_bytes(b"no picture at all")
    return folder


def run(album, save_dir, **limits):
    teachers = {"low": Counting(100), "high": Counting(200)}
    labeller = PseudoLabeller(teachers, Limits(**limits), save_dir)
    verdicts = {verdict.name: verdict for verdict in labeller.label(find_images(album, save_dir))}
    return teachers, labeller, verdicts


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_and_what_training_reads_of_it(album, tmp_path):
    from paddle_portrait.data.datasets import Dataset

    _, labeller, verdicts = run(album, tmp_path / "out")
    assert {name: verdict.kept for name, verdict in verdicts.items()} == {
        "clear": True, "deep/clear too": True, "doubtful": False, "nobody": False,
    }  # fmt: skip
    assert list(labeller.failed) == [str(album / "broken.png")]
    mask = read_mask(tmp_path / "out/masks/clear.png")
    assert set(np.unique(mask)) == {round(0.1 * 255), round(0.9 * 255)}

    root = str(tmp_path / "out")
    data = Dataset([], dataset_root=root, mode="train", train_path=f"{root}/train.txt", mask_format="soft")
    assert len(data) == 2
    sample = data.load(0)
    assert sample.image.shape[:2] == sample.label.shape == (20, 30)
    np.testing.assert_allclose(sample.label[10, 10], 230 / 255)
    np.testing.assert_allclose(sample.label[0, 0], 26 / 255)

    report = json.loads((tmp_path / "out/report.json").read_text())
    assert (report["photos"], report["kept"], report["rejected"]) == (5, 2, 2)
    assert report["mean_iou"] == {"low + high": 0.75}
    assert "low and high disagree" in next(row["objection"] for row in report["rows"] if row["name"] == "doubtful")
    assert read_image(tmp_path / "out/contact_sheet.jpg").shape[0] > 4 * 192


def test_run_twice_it_asks_nobody_again_but_for_the_sheet_and_changes_nothing(album, tmp_path):
    run(album, tmp_path / "out")
    before = contents(tmp_path / "out")
    teachers, _, _ = run(album, tmp_path / "out")
    assert teachers["low"].asked == 4  # the rows of the contact sheet
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("half_line", ["", '{"name": "doubt'])
def test_a_killed_run_goes_on(album, tmp_path, half_line):
    run(album, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "killed")
    record = tmp_path / "killed/verdicts.jsonl"
    record.write_text("".join(record.read_text().splitlines(keepends=True)[:3]) + half_line)
    for name in ("train.txt", "report.json", "contact_sheet.jpg"):
        (tmp_path / "killed" / name).unlink()
    run(album, tmp_path / "killed")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_photo_that_changed_and_a_mask_that_is_gone_are_judged_again(album, tmp_path):
    run(album, tmp_path / "out")
    write_image(album / "nobody.png", np.full((9, 30, 3), 255, np.uint8))
    (tmp_path / "out/masks/clear.png").unlink()
    shutil.copy(album / "clear.png", album / "broken.png")
    _, labeller, verdicts = run(album, tmp_path / "out")
    assert "too much" in verdicts["nobody"].objection
    assert (tmp_path / "out/masks/clear.png").is_file()
    assert verdicts["broken"].kept and not labeller.failed


def test_labels_of_other_settings_are_not_mixed(album, tmp_path):
    run(album, tmp_path / "out")
    with pytest.raises(UserError, match=r"agreement was 0\.9, now it is 0\.5"):
        run(album, tmp_path / "out", agreement=0.5)
    (tmp_path / "out/verdicts.jsonl").write_text("rubbish\n")
    with pytest.raises(UserError, match="damaged"):
        run(album, tmp_path / "out")


def test_one_teacher_is_not_enough(tmp_path):
    with pytest.raises(UserError, match="two different teachers"):
        PseudoLabeller({"one": Counting(1)}, Limits(), tmp_path)


def command(album, tmp_path, teachers):
    arguments = ["--images", str(album), "--teachers", *map(str, teachers), "--save_dir", str(tmp_path / "out")]
    return subprocess.run(
        [sys.executable, str(ROOT / "tools/pseudo_label.py"), *arguments, "--flip"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command(album, tmp_path, make_export):
    exports = [make_export("Softmax", name="one"), make_export("Sigmoid", name="two")]
    done = command(album, tmp_path, exports)
    assert done.returncode == 1, done.stderr  # for the broken photo
    assert "3 of 5 photos labelled, 1 rejected" in done.stdout
    assert "broken.png" in done.stderr and "Traceback" not in done.stderr
    (album / "broken.png").unlink()
    assert command(album, tmp_path, exports).returncode == 0

    twice = command(album, tmp_path, [exports[0], exports[0]])
    assert twice.returncode == 2 and "twice" in twice.stderr
