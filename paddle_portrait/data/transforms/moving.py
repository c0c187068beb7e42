"""Moving everything that a sample carries - image, label and prior - by one geometry."""

from __future__ import annotations

import cv2
import numpy as np

from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms.labels import pad_label, resize_label, warp_label
from paddle_portrait.preprocess.geometry import Padded, Size, resize

_NOTHING_KNOWN = 0  # of a prior outside its frame, as in prediction


def flip_sample(sample: Sample, code: int) -> Sample:
    """Mirror; ``code`` is OpenCV's (1: left and right, 0: upside down)."""
    label, prior = (None if array is None else cv2.flip(array, code) for array in (sample.label, sample.prior))
    return sample.moved(cv2.flip(sample.image, code), label, prior)


def crop_sample(sample: Sample, rows: slice, columns: slice) -> Sample:
    """Cut out a window."""
    label, prior = (
        None if array is None else np.ascontiguousarray(array[rows, columns]) for array in (sample.label, sample.prior)
    )
    return sample.moved(np.ascontiguousarray(sample.image[rows, columns]), label, prior)


def pad_sample(sample: Sample, padded: Padded, label_value: float) -> Sample:
    """Add a border: the image's value is that of ``padded``; the prior knows nothing there."""
    label = None if sample.label is None else pad_label(sample.label, padded, label_value)
    prior = None if sample.prior is None else pad_label(sample.prior, padded, _NOTHING_KNOWN)
    return sample.moved(padded.apply(sample.image), label, prior)


def resize_sample(sample: Sample, size_hw: Size, interp: int = cv2.INTER_LINEAR) -> Sample:
    """Scale to a size; ``interp`` is that of the image."""
    label = None if sample.label is None else resize_label(sample.label, size_hw)
    prior = None if sample.prior is None else resize(sample.prior, size_hw, cv2.INTER_LINEAR)
    return sample.moved(resize(sample.image, size_hw, interp), label, prior)


def warp_sample(
    sample: Sample, matrix: np.ndarray, size_wh: tuple[int, int], image_value: float, label_value: float
) -> Sample:
    """Move by one affine matrix into a frame of ``size_wh``; uncovered pixels get the values."""

    def warp(array: np.ndarray, value: float) -> np.ndarray:
        return cv2.warpAffine(
            array,
            matrix,
            size_wh,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(value,) * 4,
        )

    label = None if sample.label is None else warp_label(sample.label, matrix, size_wh, label_value)
    prior = None if sample.prior is None else warp(sample.prior, _NOTHING_KNOWN)
    return sample.moved(warp(sample.image, image_value), label, prior)
