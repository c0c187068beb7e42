"""From bytes of a stranger to pixels: told apart by their first bytes, measured before they are decoded.

Only formats that photos come in are decoded, each by its own decoder, so that nothing reaches Pillow's rarer plugins.
"""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image

from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.image_io import BYTES_NAME, decode_opened
from paddle_portrait.serving.errors import Refusal

_STARTS = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
}
# What makes a picture another file as well: pages, scripts, documents and archives. Long enough not to turn up in
# compressed pixels by chance. A video behind a photo, as phones write it, is none of them.
_FOREIGN = {
    b"<script": "a script",
    b"<html": "a web page",
    b"<!doctype html": "a web page",
    b"<?php": "a script",
    b"%pdf-": "a PDF document",
    b"rar!\x1a\x07": "an archive",
    b"7z\xbc\xaf\x27\x1c": "an archive",
}
_ZIP_ENTRY, _ZIP_END, _ZIP_END_REACH = b"PK\x03\x04", b"PK\x05\x06", 66_000
# Photos saved progressively have about ten scans. Thousands keep a decoder busy for minutes.
_MOST_SCANS = 100
_START_OF_SCAN = b"\xff\xda"


def measure(data: bytes, max_pixels: int, max_side: int) -> Image.Image:
    """Return a picture that may be decoded, opened: its header is read, which says its size.

    Args:
        data: the file.
        max_pixels: largest picture allowed.
        max_side: longest side allowed, pixels.

    Raises:
        Refusal: 400 empty, 413 too large, 415 no picture, 422 broken or hostile.
    """
    format_name = _format_of(data)
    if found := _foreign(data):
        raise Refusal(422, "polyglot", f"the picture is {found} as well; send the picture alone, saved anew.")
    if format_name == "JPEG" and data.count(_START_OF_SCAN) > _MOST_SCANS:
        raise Refusal(422, "too_many_scans", f"the JPEG has more than {_MOST_SCANS} scans; save it anew.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = Image.open(io.BytesIO(data), formats=[format_name])
    except Image.DecompressionBombError:
        raise _too_large("more than 178 megapixels", max_pixels, max_side) from None
    except Exception as error:  # decoders raise whatever their parser stumbled over
        raise Refusal(422, "broken_image", f"the {format_name} cannot be opened ({error}).") from None
    width, height = header.size
    if width * height > max_pixels or max(width, height) > max_side:
        raise _too_large(f"{width}x{height} pixels", max_pixels, max_side)
    if min(width, height) < 1:
        raise Refusal(422, "broken_image", f"the {format_name} says that it has {width}x{height} pixels.")
    return header


def decode(data: bytes, header: Image.Image) -> np.ndarray:
    """Return the picture as uint8 H×W×3 RGB, turned as its EXIF orientation says.

    Args:
        data: the file, which :func:`measure` let through.
        header: what :func:`measure` returned.

    Raises:
        Refusal: it is damaged or cut short.
    """
    size_wh = header.size  # Pillow's own decoding may change what it says
    try:
        image = decode_opened(data, header)
    except UserError as error:
        raise Refusal(422, "broken_image", str(error).removeprefix(f"{BYTES_NAME}: ")) from None
    except Exception as error:  # as above; MemoryError too: the header may lie about what decoding needs
        raise Refusal(422, "broken_image", f"the picture cannot be decoded ({type(error).__name__}).") from None
    if sorted(image.shape[:2]) != sorted(size_wh):
        raise Refusal(422, "broken_image", "the picture has another size than its header says.")
    return image


def _format_of(data: bytes) -> str:
    if not data:
        raise Refusal(400, "empty", "there is no picture: the body, or the part of the form, is empty.")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    for name, starts in _STARTS.items():
        if data.startswith(starts):
            return name
    raise Refusal(415, "not_an_image", "this is no picture that is read here; send JPEG, PNG, WebP, GIF or BMP.")


def _foreign(data: bytes) -> str | None:
    if _ZIP_END in data[-_ZIP_END_REACH:] and _ZIP_ENTRY in data:
        return "an archive"
    lower = data.lower()
    return next((what for needle, what in _FOREIGN.items() if needle in lower), None)


def _too_large(found: str, max_pixels: int, max_side: int) -> Refusal:
    allowed = f"{max_pixels / 1e6:g} megapixels and {max_side} pixels a side"
    return Refusal(413, "too_many_pixels", f"the picture has {found}; allowed are {allowed}.")
