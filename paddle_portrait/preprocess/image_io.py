"""Reading and writing of photos and masks, whatever the camera, the annotation tool or the file name did."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

from paddle_portrait.console import logger
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.geometry import Size

Source = str | Path | bytes
BYTES_NAME = "<image bytes>"  # what a picture without a file is called in messages

_EXIF_ORIENTATION = 0x0112
_TRANSPARENT_MODES = {"RGBA", "LA", "PA", "RGBa", "La"}
# Formats and modes that OpenCV decodes to the same pixels as Pillow, only faster.
_FAST_FORMATS = {"JPEG", "PNG"}
_FAST_MODES = {"RGB", "L"}
# Divisors of the size at which OpenCV decodes a JPEG, the largest first.
_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2,
            1: cv2.IMREAD_COLOR}  # fmt: skip
_announced_alpha = False


def read_image(source: Source) -> np.ndarray:
    """Read a photo as it is meant to be looked at.

    Grey, palette, CMYK and 16-bit images are converted; the EXIF orientation is applied; an alpha
    channel is dropped (said in the log, once).

    Args:
        source: path of a file, or its bytes.

    Returns:
        uint8 array H×W×3, RGB.

    Raises:
        UserError: the file is missing, empty, truncated or no image.
    """
    data, name = _read_bytes(source)
    with _open(data, name) as header:
        return decode_opened(data, header, name)


def read_reduced(source: Source, needed: Callable[[Size], Size]) -> tuple[np.ndarray, Size]:
    """Read a photo that will be scaled down, a JPEG at 1/2, 1/4 or 1/8 of its size where that suffices.

    Args:
        source: path of a file, or its bytes.
        needed: returns, for the height and width of the photo, those that are needed at least.

    Returns:
        The photo as :func:`read_image` returns it, no side shorter than needed for that reason, and its height and
        width on the disk, EXIF orientation applied.

    Raises:
        UserError: the file is missing, empty, truncated or no image.
    """
    data, name = _read_bytes(source)
    with _open(data, name) as image:
        if image.format != "JPEG" or image.mode not in _FAST_MODES:
            whole = decode_opened(data, image, name)
            return whole, (whole.shape[0], whole.shape[1])
        height, width = image.size[::-1] if _orientation(image) < 5 else image.size
        least = needed((height, width))
        fitting = (k for k in _REDUCED if -(-height // k) >= least[0] and -(-width // k) >= least[1])
        return _decode_fast(data, image, name, _REDUCED[next(fitting, 1)]), (height, width)


def decode_opened(data: bytes, header: Image.Image, name: str = BYTES_NAME) -> np.ndarray:
    """Read a photo that Pillow has opened already, as :func:`read_image` does.

    Args:
        data: the file.
        header: what Pillow made of its beginning.
        name: of the file, in messages.

    Returns:
        uint8 array H×W×3, RGB.

    Raises:
        UserError: it is damaged or cut short.
    """
    if header.format in _FAST_FORMATS and header.mode in _FAST_MODES:
        return _decode_fast(data, header, name)
    try:
        return _to_rgb(ImageOps.exif_transpose(header), name)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{name}: the image cannot be decoded ({error}). Export it again or remove it.") from error


def read_mask(source: Source) -> np.ndarray:
    """Read the raw values of a mask: no interpretation, no EXIF rotation.

    A palette image gives its indices, a 1-bit image 0 and 1, three equal channels give one, alpha is dropped.

    Returns:
        uint8 or uint16 array H×W.

    Raises:
        UserError: the file is missing, unreadable, or a picture in colours.
    """
    data, name = _read_bytes(source)
    with _open(data, name) as image:
        try:
            values = np.asarray(image)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise UserError(f"{name}: the mask cannot be decoded ({error}).") from error
        mode = image.mode
    if values.ndim == 3:
        values = _one_channel(values[..., :1] if mode in {"LA", "La", "PA"} else values[..., :3], name)
    if values.dtype == np.int32:  # Pillow's mode "I": some 16-bit PNG and TIFF files
        if values.min() < 0 or values.max() > 65535:
            raise UserError(f"{name}: mask values from {values.min()} to {values.max()}; 8 or 16 bits are allowed.")
        values = values.astype(np.uint16)
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
    if values.dtype not in (np.uint8, np.uint16):
        raise UserError(f"{name}: a mask of type {values.dtype} (mode {mode}); 8-bit or 16-bit integers are allowed.")
    return np.ascontiguousarray(values)


def is_jpeg(path: str | Path) -> bool:
    """Return whether the file starts as JPEG files do, whatever its name says."""
    with Path(path).open("rb") as file:
        return file.read(3) == b"\xff\xd8\xff"


def write_image(path: str | Path, array: np.ndarray) -> None:
    """Write a picture; missing folders are made, the extension chooses the format.

    Args:
        path: target, such as ``output/mask.png``.
        array: uint8, H×W (grey), H×W×3 (RGB) or H×W×4 (RGBA).

    Raises:
        UserError: the format is unknown, cannot hold the array (RGBA in JPEG), or the place cannot be written.
    """
    path = Path(path)
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise ValueError(f"write_image takes uint8 H×W, H×W×3 or H×W×4, got {array.dtype} {array.shape}")
    if array.ndim == 3 and array.shape[2] == 4 and path.suffix.lower() in {".jpg", ".jpeg", ".bmp"}:
        raise UserError(f"{path}: {path.suffix} files hold no transparency; choose .png or .webp.")
    order = {2: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[array.shape[2] if array.ndim == 3 else 2]
    try:
        done, encoded = cv2.imencode(path.suffix, array if order is None else cv2.cvtColor(array, order))
    except cv2.error:
        done = False
    if not done:
        raise UserError(f"{path}: pictures cannot be written as '{path.suffix}'; choose .png, .jpg or .webp.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise UserError(f"{path}: the picture cannot be written ({error.strerror}).") from error


def _read_bytes(source: Source) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        data, name = source, BYTES_NAME
    else:
        name = str(source)
        try:
            data = Path(source).read_bytes()
        except FileNotFoundError:
            raise UserError(f"{name}: the file does not exist.") from None
        except OSError as error:
            raise UserError(f"{name}: the file cannot be read ({error.strerror}).") from error
    if not data:
        raise UserError(f"{name}: the file is empty.")
    return data, name


def _open(data: bytes, name: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large photos are welcome; only bombs are refused
            return Image.open(io.BytesIO(data))
    except Image.UnidentifiedImageError:
        raise UserError(f"{name}: this is no image that can be read (JPEG, PNG, WebP, BMP, TIFF, GIF).") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{name}: the image cannot be opened ({error}).") from error


def _decode_fast(data: bytes, header: Image.Image, name: str, mode: int = cv2.IMREAD_COLOR) -> np.ndarray:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), mode | cv2.IMREAD_IGNORE_ORIENTATION)
    if decoded is None:
        raise UserError(f"{name}: the image is damaged or cut short. Export it again or remove it.")
    rgb = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=decoded)  # in place: photos may be large
    return _turn(rgb, _orientation(header))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except (OSError, ValueError, SyntaxError, TypeError):  # a broken EXIF block does not make the photo unusable
        return 1


def _turn(image: np.ndarray, orientation: int) -> np.ndarray:
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def _to_rgb(image: Image.Image, name: str) -> np.ndarray:
    if image.mode in _TRANSPARENT_MODES or "transparency" in image.info:
        _announce_alpha(name)
    if image.mode.startswith("I"):
        return _grey_to_rgb(_high_byte(np.asarray(image), name))
    if image.mode == "F":
        raise UserError(f"{name}: floating-point images are not read; save it with 8 or 16 bits a channel.")
    if image.mode in {"LA", "La"}:
        return _grey_to_rgb(np.asarray(image)[..., 0])
    if image.mode in {"P", "PA"}:
        image = image.convert("RGBA")
    if image.mode in {"RGBA", "RGBa"}:
        return np.ascontiguousarray(np.asarray(image)[..., :3])
    return np.array(image.convert("RGB"))


def _high_byte(values: np.ndarray, name: str) -> np.ndarray:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise UserError(f"{name}: grey values from {low} to {high}; 8 or 16 bits are allowed.")
    return (values >> 8).astype(np.uint8)


def _grey_to_rgb(grey: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(np.ascontiguousarray(grey), cv2.COLOR_GRAY2RGB)


def _announce_alpha(name: str) -> None:
    global _announced_alpha
    if not _announced_alpha:
        _announced_alpha = True
        logger.info("%s has an alpha channel; the alpha of images is dropped, here and from now on", name)


def _one_channel(values: np.ndarray, name: str) -> np.ndarray:
    first: np.ndarray[Any, Any] = values[..., 0]
    if any(not np.array_equal(first, values[..., channel]) for channel in range(1, values.shape[2])):
        raise UserError(
            f"{name}: a mask must have one channel (or equal ones), this picture has colours. Are the columns swapped?"
        )
    return first
