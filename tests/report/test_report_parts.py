"""Pieces of the report: figures as text, charts, error pictures, the page, and the record of final looks."""

from __future__ import annotations

import json
import math
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from paddle_portrait.engine.evaluator import EvalReport, Judged, default_metrics
from paddle_portrait.errors import UserError
from paddle_portrait.report.charts import histogram, line_chart
from paddle_portrait.report.figures import FIGURES, text_table
from paddle_portrait.report.gallery import (
    IGNORED_RGB,
    INVENTED_RGB,
    MISSED_RGB,
    Exhibit,
    choose_rows,
    draw,
    error_picture,
)
from paddle_portrait.report.model_card import HEADING, check_writable, earlier_looks, record_look
from paddle_portrait.report.page import Surroundings, render, write_json

SHA = "0123456789abcdef" * 4
NASTY = '"><script>alert(1)</script> & <b>é.jpg'


def make_report(count: int = 30, path: str = "photos/{}.jpg") -> EvalReport:
    report = EvalReport(default_metrics(2))
    rng = np.random.default_rng(0)
    for index in range(count):
        label = np.zeros((32, 32), np.uint8)
        label[8:28, 8:24] = 1
        prob = np.clip(label + rng.normal(0, 0.3, label.shape), 0, 1).astype(np.float32)
        row = {"index": index, "path": path.format(index)}
        for metric in report.metrics.values():
            row.update(metric.update(prob >= 0.5 if metric.takes == "classes" else prob, label))
        report.rows.append(row)
    return report


def surroundings(**changes: object) -> Surroundings:
    return Surroundings(
        **{"title": "Net", "data": "set/val.txt", "date": "2030-01-02 03:04 UTC", "about": {"weights": "w"}, **changes}
    )


class Outline(HTMLParser):
    """Collects what the tests look at, and checks that tags close."""

    VOID = ("meta", "img", "br", "line", "circle", "rect", "polyline")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_text_table_aligns_names_and_values_and_shows_a_dash_for_nothing() -> None:
    lines = text_table({"miou": 0.91234, "images": 264, "dtssd": float("nan")}).splitlines()
    assert [line.split() for line in lines] == [["mIoU", "0.9123"], ["dtSSD", "–"], ["Images", "264"]]
    assert len({len(line) for line in lines}) == 1


def test_every_figure_of_the_metrics_is_explained() -> None:
    known = {figure.key for figure in FIGURES}
    from paddle_portrait.metrics import FlickerMetrics

    computed = [*make_report(1).summary, *FlickerMetrics().result()]
    assert set(computed) <= known


@pytest.mark.parametrize(
    "points",
    [
        [(0, 1.0), (10, 0.5), (20, float("nan")), (30, 0.25)],
        [(5, 0.7)],
        [(0, 0.0), (1, 0.0)],
        [(k, 1e-7 * k) for k in range(5000)],
        [(k, -1e6 + k) for k in range(3)],
    ],
)
def test_line_charts_are_well_formed_and_stay_inside(points: list[tuple[float, float]]) -> None:
    tree = ElementTree.fromstring(line_chart("a < b & c", points))
    assert tree.attrib["aria-label"].startswith("a < b & c: from")
    _, _, width, height = map(float, tree.attrib["viewBox"].split())
    drawn = [tuple(map(float, pair.split(","))) for pair in tree.find("polyline").attrib["points"].split()]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in drawn)
    assert len(drawn) <= 400
    assert tree.findall("text")


def test_a_rising_curve_rises_on_the_page() -> None:
    drawn = ElementTree.fromstring(line_chart("t", [(0, 1), (1, 2), (2, 4)])).find("polyline").attrib["points"]
    heights = [float(pair.split(",")[1]) for pair in drawn.split()]
    assert heights == sorted(heights, reverse=True)


def test_nothing_to_draw_gives_no_chart() -> None:
    assert line_chart("t", [(0, float("nan"))]) == ""
    assert histogram("t", []) == ""


def test_histogram_counts_every_image_once() -> None:
    values = [0.31, 0.5, 0.5, 0.99, 1.0, float("nan")]
    tree = ElementTree.fromstring(histogram("person IoU", values))
    titles = [bar.find("title").text for bar in tree.findall("rect")]
    assert sum(int(re.search(r": (\d+) images", title).group(1)) for title in titles) == 5
    ElementTree.fromstring(histogram("all perfect", [1.0, 1.0]))


def test_error_picture_names_each_kind_of_error_by_its_colour() -> None:
    label = np.array([[0, 0, 1, 1, 255]], np.uint8)
    classes = np.array([[0, 1, 1, 0, 1]])
    picture = error_picture(np.full((1, 5, 3), 90, np.uint8), classes, label)
    assert tuple(picture[0, 1]) == INVENTED_RGB
    assert tuple(picture[0, 3]) == MISSED_RGB
    assert tuple(picture[0, 4]) == IGNORED_RGB
    assert tuple(picture[0, 0]) == tuple(picture[0, 2]) == (190, 190, 190)


def test_draw_shows_soft_labels_by_their_strength() -> None:
    from paddle_portrait.data.sample import Sample

    image = np.full((4, 3, 3), 100, np.uint8)
    soft = np.zeros((4, 3), np.float32)
    soft[1], soft[2], soft[3] = 0.5, 1.0, 255.0
    judged = Judged(soft >= 0.5, np.zeros((4, 3), np.float32), np.zeros((4, 3), np.float32))
    _, label, prediction, _ = draw(Sample(image, soft, "x.jpg"), judged)
    tint = np.abs(label.astype(int) - 100).sum(axis=2)[:, 0]
    assert tint[0] == 0 < tint[1] < tint[2]
    assert tint[3] == 0  # ignored
    np.testing.assert_array_equal(prediction, image)


def test_worst_and_median_rows_share_none() -> None:
    rows = [{"index": k, "path": str(k), "person_iou": k / 100} for k in range(100)]
    worst, median = choose_rows(rows[::-1], 6)
    assert [row["index"] for row in worst] == [0, 1, 2, 3, 4, 5]
    assert [row["index"] for row in median] == [47, 48, 49, 50, 51, 52]
    worst, median = choose_rows(rows[:8], 6)
    assert [row["index"] for row in [*worst, *median]] == list(range(8))
    assert choose_rows(rows, 0) == ([], [])


def test_page_is_whole_needs_no_other_file_and_escapes_names() -> None:
    report = make_report(path=NASTY + "{}")
    exhibit = Exhibit(report.rows[0], tuple(f"data:image/jpeg;base64,AAA{k}" for k in range(4)))
    history = [{"kind": "train", "iteration": k, "loss": 1 / k, "lr": 0.1, "speed": {"ips": 1}} for k in (1, 2, 3)]
    history += [{"kind": "eval", "iteration": k, "miou": 0.5, "images": 3} for k in (1, 3)]
    page = render(report, surroundings(about={"file": NASTY}, history=history, history_file="h"), [exhibit], [])
    outline = Outline(page)
    assert outline.open == []
    assert not [tag for tag, _ in outline.tags if tag in ("script", "link", "b")]
    assert all(attrs["src"].startswith("data:") for tag, attrs in outline.tags if tag == "img")
    assert all(attrs.get("alt") for tag, attrs in outline.tags if tag == "img")
    assert all(attrs.get("scope") for tag, attrs in outline.tags if tag == "th")
    assert ("html", {"lang": "en"}) in outline.tags
    assert "prefers-color-scheme: dark" in page
    for heading in ("mIoU on the validation set", "loss", "learning rate", "The worst images"):
        assert heading in outline.text
    assert "Images around the median" not in outline.text
    assert f"{report.summary['miou']:.4f}" in outline.text


def test_page_of_a_final_look_says_so_and_without_history_shows_no_curves() -> None:
    text = Outline(render(make_report(3), surroundings(final_card="runs/MODEL_CARD.md"), [], [])).text
    assert "A final look" in text
    assert "runs/MODEL_CARD.md" in text
    assert "The training that led here" not in text
    assert "A final look" not in Outline(render(make_report(3), surroundings(), [], [])).text


def test_json_has_the_figures_at_the_top_a_row_an_image_and_no_nan(tmp_path: Path) -> None:
    report = make_report(4)
    report.rows[0]["checkerboard"] = float("nan")
    write_json(report, surroundings(), tmp_path / "new" / "report.json")
    text = (tmp_path / "new" / "report.json").read_text(encoding="utf-8")
    content = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    for key in ("miou", "person_iou", "boundary_iou", "pixel_accuracy"):
        assert content[key] == report.summary[key]
    assert content["images"] == len(content["rows"]) == 4
    assert content["rows"][0]["checkerboard"] is None
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "report.json"]


def test_a_report_that_cannot_be_written_is_an_error_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="--save_dir"):
        write_json(make_report(1), surroundings(), tmp_path / "file" / "report.json")


def test_looks_are_appended_dated_and_found_again(tmp_path: Path) -> None:
    card = tmp_path / "MODEL_CARD.md"
    card.write_text("# My net\n\nText.\n\n## Licence\n\nFree.\n", encoding="utf-8")
    assert earlier_looks(card, "a/test.txt", SHA) == []
    record_look(card, "2030-01-02", "a/test.txt", SHA, {"miou": 0.9})
    with card.open("a", encoding="utf-8") as file:
        file.write("\n## More\n\nEnd.\n")
    record_look(card, "2030-02-03", "a/test.txt", SHA, {"miou": 0.8, "dtssd": math.nan})
    lines = card.read_text(encoding="utf-8").splitlines()
    looks = [line for line in lines if line.startswith("- ")]
    assert [look[:12] for look in looks] == ["- 2030-01-02", "- 2030-02-03"]
    assert "mIoU 0.9000" in looks[0]
    assert lines.index(HEADING) < lines.index(looks[0]) == lines.index(looks[1]) - 1 < lines.index("## More")
    assert lines.count(HEADING) == 1
    assert {"# My net", "Text.", "## Licence", "Free.", "End."} <= set(lines)
    assert len(earlier_looks(card, "a/test.txt", SHA)) == 2
    assert earlier_looks(card, "a/test.txt", "f" * 64) == []
    assert earlier_looks(card, "b/test.txt", SHA) == []


def test_first_look_makes_the_card(tmp_path: Path) -> None:
    card = tmp_path / "MODEL_CARD.md"
    record_look(card, "2030-01-02", "a/test.txt", SHA, {"miou": 0.9})
    assert card.read_text(encoding="utf-8").startswith("# Model card\n\n" + HEADING)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_no_look_without_a_record(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot be written"):
        check_writable(tmp_path / "MODEL_CARD.md")
