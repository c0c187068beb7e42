"""A generated portrait, its exact probability, and a background of another size."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_portrait.data.synthesis import render_empty_room, render_portrait

Portrait = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="session")
def portrait() -> Portrait:
    image, alpha = render_portrait(41, (180, 240))
    return image, np.ascontiguousarray(alpha, np.float32)


@pytest.fixture(scope="session")
def room() -> np.ndarray:
    return np.ascontiguousarray(render_empty_room(5, (96, 160)))
