"""Bit-packed masks: the layout of the packing convolution, there and back."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.bit_packing import pack_mask, unpack_mask


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("shape", [(1, 16), (5, 48), (2, 3, 32), (1, 1, 7, 64), (0, 16)], ids=str)
def test_masks_survive_the_journey(bits: int, shape: tuple[int, ...]) -> None:
    mask = np.random.default_rng(bits).integers(0, 2, shape, dtype=np.uint8)
    packed = pack_mask(mask, bits)
    assert packed.shape == (*shape[:-1], shape[-1] // bits)
    unpacked = unpack_mask(packed, bits)
    assert unpacked.dtype == np.uint8
    assert np.array_equal(unpacked, mask)


def test_the_leftmost_pixel_weighs_most() -> None:
    sixteen = np.zeros((3, 16), np.uint8)
    sixteen[0, 0] = sixteen[1, 7] = sixteen[2, 15] = 1
    assert pack_mask(sixteen).ravel().tolist() == [128.0, 1.0, 2.0**-8]
    assert pack_mask(sixteen[:1, :8], 8).item() == 128
    assert unpack_mask(np.array([[0b10110001]], np.uint8), 8).tolist() == [[1, 0, 1, 1, 0, 0, 0, 1]]
    assert unpack_mask(np.array([[192.0 + 2**-7]], np.float32)).ravel().tolist() == [1, 1] + [0] * 12 + [1, 0]


def test_bytes_are_numpys_packed_bits() -> None:
    mask = np.random.default_rng(0).integers(0, 2, (9, 40), dtype=np.uint8)
    assert np.array_equal(pack_mask(mask, 8).astype(np.uint8), np.packbits(mask, axis=1))


def test_it_is_a_convolution_with_descending_powers_of_two() -> None:
    mask = np.random.default_rng(0).integers(0, 2, (4, 64)).astype(np.float32)
    kernel = (2.0 ** np.arange(7, -9, -1, dtype=np.float32))[None]
    convolved = cv2.filter2D(mask, cv2.CV_32F, kernel, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)[:, ::16]
    assert np.array_equal(pack_mask(mask), convolved)
    assert np.array_equal(unpack_mask(convolved), mask)


@pytest.mark.parametrize(
    ("packed", "bits", "message"),
    [
        (np.full((1, 1), 2.0**-9), 16, "16 bits need float32"),
        (np.full((1, 1), 0.5), 8, "multiple of 1 from 0 to 255"),
        (np.full((1, 1), 256.0), 16, "from 0 to 255.996"),
        (np.full((1, 1), -1.0), 8, "from 0 to 255"),
        (np.full((1, 1), np.nan), 16, "no mask packed by 16"),
        (np.full((1, 1), 1.0), 32, "8 or 16"),
    ],
)
def test_what_no_mask_can_give_is_refused(packed: Any, bits: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        unpack_mask(packed, bits)


def test_soft_or_narrow_masks_cannot_be_packed() -> None:
    with pytest.raises(UserError, match="threshold"):
        pack_mask(np.full((1, 16), 0.5))
    with pytest.raises(UserError, match="no multiple of 16"):
        pack_mask(np.zeros((1, 24)))
