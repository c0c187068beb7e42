"""PP-HumanSeg's fusion with the last mask, moved along the optical flow; its thresholds on the scale that was meant."""

from __future__ import annotations

import numpy as np

from paddle_portrait.video.smoothing import FILTERS
from paddle_portrait.video.smoothing.motion import MotionFinder, carry

_SURE = 0.9  # the network is sure of person above, of background below one minus this
# Share of the network's answer in the result, by (network sure, picture moves there).
_SHARES = {(False, True): 0.3, (False, False): 0.05, (True, True): 0.4, (True, False): 0.3}


@FILTERS.register("optic_flow")
class OpticFlowFilter:
    """Where the motion can be followed, most of the mask is the last one, carried along; elsewhere it is the network's.

    PP-HumanSeg (PaddleSeg, contrib) compares scores of 0 to 255 with bounds of 0.9 and 0.1, so that there nearly every
    pixel counts as sure; here scores are probabilities, as the bounds are. And the last mask is fetched at fractions of
    pixels, where PP-HumanSeg rounds the flow: less than half a pixel a frame, the pace of a talking head at the size of
    a small network, would be no motion at all.
    """

    def __init__(self) -> None:
        self._motion_between = MotionFinder()
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def __call__(self, frame_rgb: np.ndarray, person_prob: np.ndarray) -> np.ndarray:
        """Return the fused probability."""
        if self._last is not None and self._last[0].shape == frame_rgb.shape:
            motion = self._motion_between(self._last[0], frame_rgb)
            sure = np.abs(person_prob - 0.5) > _SURE - 0.5
            share = np.where(
                sure,
                np.where(motion.still, _SHARES[True, False], _SHARES[True, True]),
                np.where(motion.still, _SHARES[False, False], _SHARES[False, True]),
            ).astype(np.float32)
            share[~motion.trusted] = 1.0
            carried = carry(self._last[1], motion.back)
            person_prob = carried + share * (person_prob - carried)
        self._last = (frame_rgb, person_prob)
        return person_prob

    def reset(self) -> None:
        """Forget the last frame and its mask."""
        self._last = None
