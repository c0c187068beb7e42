"""Pictures: what is tinted, kept, fitted and written."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from paddle_portrait.errors import UserError
from paddle_portrait.pictures import contact_sheet, overlay, replace_background, save_curves


def test_overlay_tints_the_person_and_leaves_the_rest():
    image = np.full((2, 3, 3), 100, np.uint8)
    probability = np.array([[0.0, 0.5, 1.0], [0.0, 0.0, 0.0]], np.float32)
    result = overlay(image, probability, color=(200, 0, 100), strength=0.5)
    assert result.dtype == np.uint8
    assert result[0].tolist() == [[100, 100, 100], [125, 75, 100], [150, 50, 100]]
    assert (result[1] == 100).all()
    assert (image == 100).all()


@pytest.mark.parametrize("mask_type", [bool, np.uint8, np.int64, np.float64])
def test_overlay_takes_masks_of_any_type(mask_type):
    image = np.zeros((4, 4, 3), np.uint8)
    mask = np.eye(4).astype(mask_type)
    assert (overlay(image, mask, color=(255, 255, 255), strength=1.0)[..., 0] == np.eye(4) * 255).all()


@pytest.mark.parametrize(
    ("image_shape", "mask_shape", "strength", "phrase"),
    [((4, 4, 3), (4, 5), 0.5, "sizes differ"), ((4, 4), (4, 4), 0.5, "uint8"), ((4, 4, 3), (4, 4), 1.5, "from 0 to 1")],
)
def test_overlay_refuses_what_does_not_fit(image_shape, mask_shape, strength, phrase):
    with pytest.raises(ValueError, match=phrase):
        overlay(np.zeros(image_shape, np.uint8), np.zeros(mask_shape, np.float32), strength=strength)


def test_a_tall_image_is_blended_whole():
    """The blend works by blocks of rows; none may be left out."""
    image = np.zeros((700, 2, 3), np.uint8)
    assert (overlay(image, np.ones((700, 2)), color=(9, 9, 9), strength=1.0) == 9).all()


def test_replaced_background_covers_the_image_without_distortion():
    image = np.full((40, 20, 3), 250, np.uint8)
    probability = np.zeros((40, 20), np.float32)
    probability[:10] = 1.0
    stripes = np.zeros((10, 30, 3), np.uint8)
    stripes[:, 10:20] = 77
    result = replace_background(image, probability, stripes)
    assert result.shape == image.shape
    assert (result[:10] == 250).all()
    assert (result[10:, 2:18] == 77).all()  # scaled by 4, the middle stripe is wider than the image


def test_contact_sheet_keeps_aspect_and_places_cells():
    red = np.zeros((50, 100, 3), np.uint8)
    red[..., 0] = 255
    sheet = contact_sheet([[red, np.ones((30, 30), np.float32)], [np.zeros((9, 9), bool)]], [], cell_hw=(40, 40))
    assert sheet.shape == (8 + 2 * 48, 8 + 2 * 48, 3)
    reds = np.argwhere((sheet == (255, 0, 0)).all(axis=2))
    assert reds.min(axis=0).tolist() == [18, 8]
    assert reds.max(axis=0).tolist() == [37, 47]
    assert (sheet[56:96, 8:48] == 0).all()


def test_contact_sheet_writes_titles_and_captions():
    grey = np.full((20, 20, 3), 128, np.uint8)
    plain = contact_sheet([[grey, grey]], ["", ""], (64, 64), [""])
    written = contact_sheet([[grey, grey]], ["image", "label"], (64, 64), ["images/a photo with a very long name.jpg"])
    assert plain.shape == written.shape
    changed = (plain != written).any(axis=2)
    assert changed[:24].any(), "no title"
    assert changed[94:].any(), "no caption"
    assert not changed[28:92].any(), "text over a picture"
    assert not changed[:, -8:].any(), "text runs out of the sheet"


def test_several_captions_share_the_row():
    grey = np.full((20, 20, 3), 128, np.uint8)
    both = contact_sheet([[grey, grey]], [], (40, 100), [["left", "right"]])
    left = contact_sheet([[grey, grey]], [], (40, 100), [["left", ""]])
    changed = (both != left).any(axis=(0, 2))
    assert changed.any()
    assert not changed[:116].any()


def test_contact_sheet_shows_transparency_as_squares():
    clear = np.zeros((48, 48, 4), np.uint8)
    cell = contact_sheet([[clear]], [], (48, 48))[8:56, 8:56]
    assert set(np.unique(cell)) == {200, 240}


def test_contact_sheet_refuses_nothing_and_wrong_captions():
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([], [])
    with pytest.raises(ValueError, match="captions"):
        contact_sheet([[np.zeros((4, 4), np.uint8)]], [], captions=["a", "b"])


def test_curves_are_drawn_with_gaps_and_without_empty_series(tmp_path):
    path = tmp_path / "new folder" / "curves.png"
    save_curves({"loss": [(0, 1.0), (1, float("nan")), (2, 0.5)], "lr": [(0, 0.1)], "none": []}, path)
    picture = cv2.imread(str(path))
    assert picture.shape[1] > picture.shape[0] > 100
    assert picture.std() > 5


def test_no_curve_at_all_is_an_error(tmp_path):
    with pytest.raises(UserError, match="nothing has been logged"):
        save_curves({"loss": []}, tmp_path / "curves.png")
