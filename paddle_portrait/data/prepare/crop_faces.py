"""Portraits cut out of larger photos: the face's box, grown by its width on all sides.

As github.com/anilsathyan7/Portrait-Segmentation made selfies of full-body photos. OpenCV 4 brings a detector with
its wheels (a Haar cascade); OpenCV 5 brings none, and is given the YuNet model of OpenCV's model zoo.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from paddle_portrait.data.prepare.finding import PHOTO_SUFFIXES, list_files
from paddle_portrait.data.prepare.item import Item, Made, SkipItem, Source, read_label
from paddle_portrait.data.prepare.split import SPLITS, list_path
from paddle_portrait.data.prepare.stored import FORMATS, Stored, as_mask, read_set, reader_of
from paddle_portrait.data.prepare.writing import encode_jpeg
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.image_io import read_image

Box = tuple[int, int, int, int]
Detector = Callable[[np.ndarray], list[Box]]

_CASCADE = "haarcascade_frontalface_default.xml"
_LONG_SIDE = 640  # of the picture that faces are looked for in
_SMALLEST_FACE = 0.05  # of that picture's short side: the cascade takes much that is smaller for a face


def scan(root: Path, arguments: argparse.Namespace) -> Source:
    """Plan a crop of every photo of a prepared set, or of a folder of photos without masks.

    Photos without masks go into ``test.txt``, the list whose lines may name photos alone.

    Raises:
        UserError: there are no photos, or there is no detector.
    """
    pictures = _pictures(root)
    reader = reader_of([picture.mask for picture in pictures if picture.mask])
    mask_format = FORMATS[reader.kind]
    detect = open_detector(arguments.face_model, arguments.face_score)
    model = _CASCADE if arguments.face_model is None else Path(arguments.face_model).name
    settings = {"detector": model, "face_score": arguments.face_score, "min_size": arguments.min_size}
    source = Source("crop_faces", mask_format, settings=settings, keeps_lists=True)

    def make(picture: Stored) -> Made:
        image = read_image(picture.image)
        mask = None
        if picture.mask is not None:
            mask = as_mask(read_label(lambda: reader.read(str(picture.mask))), mask_format)
            if mask.shape != image.shape[:2]:
                raise SkipItem("mask and photo differ in size", str(picture.image))
        left, top, right, bottom = crop_box(detect(image), image.shape[:2], arguments.min_size)
        cut = None if mask is None else np.ascontiguousarray(mask[top:bottom, left:right])
        return Made(encode_jpeg(image[top:bottom, left:right]), ".jpg", cut)

    for picture in pictures:
        source.items.append(Item(f"{picture.image.stem}_face", picture.inputs, partial(make, picture), picture.split))
    return source


def crop_box(faces: list[Box], size_hw: tuple[int, ...], min_size: int) -> Box:
    """Return left, top, right and bottom of the crop around the only face, within the photo.

    Raises:
        SkipItem: there is no face, there are several, or the crop is smaller than ``min_size``.
    """
    if len(faces) != 1:
        raise SkipItem("several faces" if faces else "no face", f"{len(faces)} found")
    x, y, width, height = faces[0]
    left, top = max(0, x - width), max(0, y - width)
    right, bottom = min(size_hw[1], x + 2 * width), min(size_hw[0], y + height + width)
    if min(right - left, bottom - top) < min_size:
        raise SkipItem("crop smaller than --min_size", f"{right - left}x{bottom - top}")
    return left, top, right, bottom


def open_detector(model: Path | None, score: float) -> Detector:
    """Return what finds the faces (x, y, width, height) of a uint8 H×W×3 RGB photo.

    Args:
        model: an ONNX file for ``cv2.FaceDetectorYN``; None takes the cascade that OpenCV's wheel brings.
        score: smallest score of a face for the model, in [0, 1].

    Raises:
        UserError: this OpenCV has no cascade, or the file is no such model.
    """
    if model is None:
        return _open_cascade()
    if not Path(model).is_file():
        raise UserError(f"--face_model {model}: the file does not exist (looked from {Path.cwd()}).")
    try:
        network = cv2.FaceDetectorYN.create(str(model), "", (32, 32), score)
    except (cv2.error, SystemError) as error:
        raise UserError(f"--face_model {model}: OpenCV cannot read it as a network ({error}).") from error

    def detect(image: np.ndarray) -> list[Box]:
        small, factor = _shrink(image)
        network.setInputSize((small.shape[1], small.shape[0]))
        try:
            _, found = network.detect(np.ascontiguousarray(small[..., ::-1]))
        except cv2.error as error:
            raise UserError(f"--face_model {model}: it does not work as a YuNet face detector ({error}).") from error
        return [] if found is None else [_scaled(row[:4], factor) for row in found]

    return detect


def _pictures(root: Path) -> list[Stored]:
    if not root.is_dir() or any(list_path(root, split).is_file() for split in SPLITS):
        return read_set(root)
    photos = list_files(root, PHOTO_SUFFIXES)
    if not photos:
        raise UserError(f"{root}: neither a prepared set (train.txt) nor any photo ({', '.join(PHOTO_SUFFIXES)}).")
    return [Stored("test", photo, None) for photo in photos]


@lru_cache(maxsize=1)
def _open_cascade() -> Detector:
    path = Path(getattr(getattr(cv2, "data", None), "haarcascades", "")) / _CASCADE
    if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
        raise UserError(
            f"OpenCV {cv2.__version__} brings no face detector. Name one with --face_model: the YuNet file "
            "face_detection_yunet_2023mar.onnx of the OpenCV model zoo (github.com/opencv/opencv_zoo)."
        )
    cascade = cv2.CascadeClassifier(str(path))

    def detect(image: np.ndarray) -> list[Box]:
        small, factor = _shrink(image)
        least = max(20, round(min(small.shape[:2]) * _SMALLEST_FACE))
        grey = cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
        found = cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=6, minSize=(least, least))
        return [_scaled(row, factor) for row in found]

    return detect


def _shrink(image: np.ndarray) -> tuple[np.ndarray, float]:
    factor = min(1.0, _LONG_SIDE / max(image.shape[:2]))
    if factor == 1:
        return image, 1.0
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), factor


def _scaled(box: np.ndarray, factor: float) -> Box:
    x, y, width, height = (round(float(value) / factor) for value in box)
    return x, y, width, height
