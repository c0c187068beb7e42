"""Cutting persons out and laying them over other pictures without a fringe of the old background."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from paddle_portrait.data.sample import IGNORE, Sample
from paddle_portrait.data.transforms.labels import resize_label
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.geometry import Size, resize

_EDGE_SIGMA = 0.8  # of the soft edge that class indices get, in pixels
_FRINGE_SHARE = 0.03  # of the long side: how far from the edge the person's own colour is looked for
_COARSE = 4
_SURE = 0.995  # alpha from which a pixel shows the person alone
_SPREADS = (0.5, 2.0)  # bounds of the change of contrast by light matching
_TOUCHING = 0.02  # share of an edge of the photo that the person must cover to be cut off there


@dataclass(frozen=True)
class CutOut:
    """A person without a background.

    Attributes:
        colours: uint8 H×W×3; beyond the person's edge the colours of the edge go on.
        alpha: float32 H×W in [0, 1].
        label: H×W as in a sample.
    """

    colours: np.ndarray
    alpha: np.ndarray
    label: np.ndarray

    @property
    def size_hw(self) -> Size:
        """Height and width."""
        return self.alpha.shape[0], self.alpha.shape[1]

    def cut_off_at(self) -> tuple[bool, bool, bool]:
        """Return whether the photo ends before the person does: on the left, on the right, at the top."""
        edges = self.alpha[:, 0], self.alpha[:, -1], self.alpha[0]
        left, right, top = (float((edge > 0.5).mean()) > _TOUCHING for edge in edges)
        return left, right, top

    def scaled(self, factor: float) -> CutOut:
        """Return the person larger or smaller."""
        height, width = self.size_hw
        size_hw = max(1, round(height * factor)), max(1, round(width * factor))
        interp = cv2.INTER_AREA if size_hw[0] < self.size_hw[0] else cv2.INTER_LINEAR
        colours, alpha = resize(self.colours, size_hw, interp), resize(self.alpha, size_hw, interp)
        return CutOut(colours, alpha, resize_label(self.label, size_hw))

    def mirrored(self) -> CutOut:
        """Return the person with left and right exchanged."""
        return CutOut(*(cv2.flip(array, 1) for array in (self.colours, self.alpha, self.label)))

    def on_canvas(self, canvas_hw: Size, top: int, left: int) -> CutOut:
        """Return the person within an empty frame, its upper left corner at ``top``, ``left`` (maybe outside)."""
        colours = place_on(self.colours, canvas_hw, top, left, cv2.BORDER_REPLICATE)
        return CutOut(colours, *(place_on(array, canvas_hw, top, left) for array in (self.alpha, self.label)))

    def lit_like(self, background: np.ndarray, share: float) -> CutOut:
        """Move the mean and deviation of the person's colours towards those of a background.

        In LAB, as Reinhard et al., "Color transfer between images" (2001); ``share`` 0 changes nothing, 1 takes over
        the background's figures.
        """
        person = (self.alpha > 0.5).astype(np.uint8)
        if share == 0 or not person.any():
            return self
        lab = cv2.cvtColor(self.colours, cv2.COLOR_RGB2LAB)
        mean, spread = (v.ravel() for v in cv2.meanStdDev(lab, mask=person))
        to_mean, to_spread = (v.ravel() for v in cv2.meanStdDev(cv2.cvtColor(background, cv2.COLOR_RGB2LAB)))
        factor = 1 + share * (np.clip(to_spread / np.maximum(spread, 1), *_SPREADS) - 1)
        levels = (np.arange(256)[:, None] - mean) * factor + mean + share * (to_mean - mean)
        table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)[None]
        return CutOut(cv2.cvtColor(cv2.LUT(lab, table), cv2.COLOR_LAB2RGB), self.alpha, self.label)

    def over(self, background: np.ndarray) -> np.ndarray:
        """Return the person blended over a uint8 picture of the same size."""
        return cv2.blendLinear(self.colours, background, self.alpha, 1 - self.alpha)


def place_on(array: np.ndarray, canvas_hw: Size, top: int, left: int, border: int = cv2.BORDER_CONSTANT) -> np.ndarray:
    """Return an array within a frame of zeros (or as ``border`` says), its upper left corner at ``top``, ``left``."""
    matrix = np.array([[1, 0, left], [0, 1, top]], np.float64)
    return cv2.warpAffine(array, matrix, canvas_hw[::-1], flags=cv2.INTER_NEAREST, borderMode=border)


def cut_out(sample: Sample, needed_by: str) -> CutOut:
    """Cut the person of a sample out. Ignored pixels stay with the person: nobody knows what they show.

    Raises:
        UserError: the sample has no label; ``needed_by`` names the transform.
    """
    if sample.label is None:
        raise UserError(f"{needed_by} cuts the person out along the label, and {sample.path or 'the photo'} has none.")
    ignored = sample.label == IGNORE
    alpha = np.where(ignored, 1, np.minimum(sample.label, 1)).astype(np.float32)
    is_matte = sample.label.dtype != np.uint8
    if not is_matte:
        alpha = cv2.GaussianBlur(alpha, (0, 0), _EDGE_SIGMA)
    return CutOut(foreground_colours(sample.image, alpha, is_matte), alpha, sample.label)


def foreground_colours(image: np.ndarray, alpha: np.ndarray, is_matte: bool) -> np.ndarray:
    """Estimate the person's own colour where it is mixed with the background; uint8 H×W×3.

    One pass of blur fusion (Forte, "Approximate fast foreground colour estimation", ICIP 2021): the mean colour of
    the sure person nearby, corrected so that the mixture with the mean background gives the photo. The means are
    taken at a quarter of the size, where they cost little. Behind the person's edge the mean colour goes on.

    Args:
        image: uint8 H×W×3.
        alpha: float32 H×W in [0, 1].
        is_matte: whether ``alpha`` is the true share of the person, not a softened label; else the mean colour is
            taken as it is, for a correction by a wrong share would bring the background back.
    """
    size_hw: Size = (alpha.shape[0], alpha.shape[1])
    coarse = max(1, size_hw[0] // _COARSE), max(1, size_hw[1] // _COARSE)
    photo = resize(image, coarse, cv2.INTER_AREA).astype(np.float32)
    share = resize(alpha, coarse, cv2.INTER_AREA)
    inside, is_known = _mean_of(photo, share > _SURE, size_hw)
    outside, _ = _mean_of(photo, share < 1 - _SURE, size_hw)
    mixed = is_known & (alpha < _SURE)
    colours = np.where(mixed[..., None], np.clip(inside, 0, 255).astype(np.uint8), image)
    if not is_matte:
        return colours
    edge = mixed & (alpha > 1 - _SURE)
    weight, own, ground = alpha[edge][:, None], inside[edge], outside[edge]
    corrected = own + weight * (image[edge] - weight * own - (1 - weight) * ground)
    colours[edge] = np.clip(np.rint(corrected), 0, 255).astype(np.uint8)
    return colours


def _mean_of(photo: np.ndarray, chosen: np.ndarray, size_hw: Size) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean colour of the chosen pixels around each, scaled to ``size_hw``, and where there are any."""
    window = (max(5, round(max(chosen.shape) * _FRINGE_SHARE) * 2 + 1),) * 2  # 5: the next sure one may be two off
    weight = chosen.astype(np.float32)
    count = cv2.blur(weight, window)
    mean = cv2.blur(photo * weight[..., None], window) / np.maximum(count, 1e-6)[..., None]
    return resize(mean, size_hw), resize((count > 1e-6).astype(np.uint8), size_hw, cv2.INTER_NEAREST) > 0


def label_over(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """Return the label of a person laid over a picture with a label; class indices or soft labels, both alike."""
    if top.dtype == np.uint8:
        return np.where(top == 0, bottom, top)
    mixed = top + bottom * (1 - top)
    unknown = (top > 1) | ((bottom > 1) & (top < 1))
    return np.where(unknown, np.float32(IGNORE), np.where(bottom > 1, top, mixed))
