"""Slight changes of a whole frame: affine, perspective and thin-plate maps, joined into one interpolation."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from paddle_portrait.data.transforms.camera import motion_kernel

_CORNERS = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float64)


@dataclass(frozen=True)
class Distortion:
    """What happens to a frame between two pictures of a video.

    Attributes:
        places: float32 H×W×2, for each pixel of the result the place (x, y) that it comes from; None: nothing moves.
        kernel: motion blur before the move; None for none.
    """

    places: np.ndarray | None = None
    kernel: np.ndarray | None = None

    def apply(self, image: np.ndarray, interp: int = cv2.INTER_LINEAR) -> np.ndarray:
        """Return the blurred and moved image; pixels from outside take the value of the nearest border."""
        if self.kernel is not None:
            image = cv2.filter2D(image, -1, self.kernel, borderType=cv2.BORDER_REPLICATE)
        return image if self.places is None else self.move(image, interp)

    def move(self, image: np.ndarray, interp: int) -> np.ndarray:
        """Return the image moved but not blurred."""
        if self.places is None:
            return image
        return cv2.remap(image, self.places, None, interp, borderMode=cv2.BORDER_REPLICATE)


def draw_distortion(
    rng: np.random.Generator, size_hw: tuple[int, int], jitter: float, degree: tuple[float, float], prob: float
) -> Distortion:
    """Draw motion blur, an affine, a perspective and a thin-plate map, each with probability ``prob``.

    Args:
        rng: source of randomness.
        size_hw: height and width of the frame.
        jitter: how far the corners that define a map move, on both of its sides, as a share of width and height.
        degree: shortest and longest line of the motion blur in pixels.
        prob: probability of each of the four.
    """
    blurs, turns, tilts, bends = rng.random(4) < prob
    kernel = motion_kernel(rng.uniform(*degree), rng.uniform(0, 180)) if blurs else None
    size = np.array(size_hw[::-1], np.float64)

    def corners(count: int) -> np.ndarray:
        return ((_CORNERS[:count] + rng.uniform(-jitter, jitter, (count, 2))) * size).astype(np.float32)

    # Each map leads from its result back to its source; the last to happen is the first to be undone.
    back = np.eye(3)
    if turns:
        back = np.vstack([cv2.getAffineTransform(corners(3), corners(3)), [0, 0, 1]])
    if tilts:
        back = back @ cv2.getPerspectiveTransform(corners(4), corners(4))
    if not (turns or tilts or bends):
        return Distortion(None, kernel)
    x, y = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in size_hw[::-1]))
    places = np.stack([x, y], axis=-1)
    if bends:
        places = thin_plate(corners(4), corners(4), places)
    return Distortion(cv2.perspectiveTransform(places, back).astype(np.float32), kernel)


def thin_plate(centres: np.ndarray, values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map ``points`` by the thin-plate spline that takes ``centres`` to ``values`` (Bookstein, PAMI 11, 1989).

    f(p) = a + B·p + Σ wᵢ·U(|p - cᵢ|), U(r) = r²·log r², with Σ wᵢ = 0 and Σ wᵢ·cᵢ = 0.

    Args:
        centres: K×2 places, not all on one line.
        values: K×2 places that they go to.
        points: float32 H×W×2 places.

    Returns:
        float32 H×W×2.
    """
    count = len(centres)
    centres = np.asarray(centres, np.float64)
    affine = np.hstack([np.ones((count, 1)), centres])
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _bending(((centres[:, None] - centres) ** 2).sum(-1))
    system[:count, count:], system[count:, :count] = affine, affine.T
    weights = np.linalg.solve(system, np.vstack([values, np.zeros((3, 2))])).astype(np.float32)
    mapped = weights[count] + points @ weights[count + 1 :]
    for centre, weight in zip(centres.astype(np.float32), weights[:count], strict=True):
        across, down = points[..., 0] - centre[0], points[..., 1] - centre[1]
        mapped += _bending(across * across + down * down)[..., None] * weight
    return mapped.astype(np.float32)


def _bending(squares: np.ndarray) -> np.ndarray:
    """Return U = r²·log r² of squared distances; 0 at 0."""
    return squares * cv2.log(np.maximum(squares, np.finfo(np.float32).tiny))
