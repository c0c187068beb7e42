"""Masks whose pixels travel as bits of numbers: eight in a byte, or sixteen in a float.

A network that ends in a packing convolution gives one value for every eight or sixteen pixels of a row, so that
copying the mask from its processor costs an eighth or a sixteenth (anilsathyan7/Portrait-Segmentation, models 2/4).
"""

from __future__ import annotations

import numpy as np

from paddle_portrait.errors import UserError

# Factor that turns a value into a whole number whose most significant bit is the leftmost pixel. Sixteen pixels weigh
# 2^7 ... 2^0, 2^-1 ... 2^-8 from left to right; eight weigh 2^7 ... 2^0.
_WHOLE = {8: 1, 16: 256}
PACKINGS = tuple(_WHOLE)  # pixels in a value


def pack_mask(mask: np.ndarray, bits: int = 16) -> np.ndarray:
    """Return what a packing convolution makes of a hard mask.

    Args:
        mask: (..., H, W) of 0 and 1, W a multiple of ``bits``.
        bits: pixels in a value: 8 or 16.

    Returns:
        float32 (..., H, W / bits).

    Raises:
        UserError: ``bits`` or the width is not allowed, or the mask is not hard.
    """
    whole = _scale_of(bits)
    mask = np.asarray(mask)
    if mask.shape[-1] % bits:
        raise UserError(f"a mask {mask.shape[-1]} pixels wide cannot be packed by {bits}: no multiple of {bits}.")
    if not np.isin(mask, (0, 1)).all():
        raise UserError("only hard masks of 0 and 1 can be packed into bits; apply a threshold first.")
    weights = 2.0 ** np.arange(bits - 1, -1, -1) / whole
    return (mask.reshape(*mask.shape[:-1], mask.shape[-1] // bits, bits) @ weights).astype(np.float32)


def unpack_mask(packed: np.ndarray, bits: int = 16) -> np.ndarray:
    """Return the pixels of a bit-packed mask.

    Args:
        packed: (..., H, W / bits), uint8 or floating point. Sixteen bits need float32: half precision holds eleven.
        bits: pixels in a value: 8 or 16.

    Returns:
        uint8 (..., H, W) of 0 and 1.

    Raises:
        UserError: ``bits`` is not allowed, or a value cannot come from a hard mask in sufficient precision.
    """
    whole = _scale_of(bits)
    packed = np.asarray(packed)
    values = packed.astype(np.float64) * whole
    if not (np.isfinite(values).all() and (values == np.rint(values)).all()) or not _inside(values, bits):
        raise UserError(
            f"these {packed.dtype} values are no mask packed by {bits}: each must be a multiple of {1 / whole:g} "
            f"from 0 to {(2**bits - 1) / whole:g}. The packed mask must be hard, and 16 bits need float32."
        )
    big_endian = values.astype(">u1" if bits == 8 else ">u2")
    octets = big_endian.view(np.uint8).reshape(*packed.shape[:-1], packed.shape[-1] * bits // 8)
    return np.unpackbits(octets, axis=-1)


def _scale_of(bits: int) -> int:
    if bits not in _WHOLE:
        raise UserError(f"a mask is packed by 8 or 16 pixels in a value, not by {bits}.")
    return _WHOLE[bits]


def _inside(values: np.ndarray, bits: int) -> bool:
    return values.size == 0 or (values.min() >= 0 and values.max() < 2**bits)
