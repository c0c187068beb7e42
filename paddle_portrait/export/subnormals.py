"""Weights so near to 0 that processors compute with them in microcode, many times as slowly.

Long training with weight decay leaves them in channels that nothing uses: the released weights of ExtremeC3Net and
SINet have thousands.
"""

from __future__ import annotations

import numpy as np
from paddle import nn

_LEAST = np.finfo(np.float32).tiny


def without_subnormals(network: nn.Layer) -> nn.Layer:
    """Set the floats of a network that are nearer to 0 than 2^-126 to 0, and return it.

    Args:
        network: of float32; it is changed. No result moves by more than such a value does: 1e-38 times what it meets.
    """
    for value in network.state_dict().values():
        array = value.numpy()
        if array.dtype != np.float32:
            continue
        subnormal = (array != 0) & (np.abs(array) < _LEAST)
        if subnormal.any():
            value.set_value(np.where(subnormal, np.float32(0), array))
    return network
