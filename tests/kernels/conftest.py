"""The kernels' tests build them for real, into the user's cache, and put the switch back afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from paddle_portrait import kernels


@pytest.fixture(autouse=True)
def _switch() -> Iterator[None]:
    before = kernels.kernel_mode()
    yield
    kernels.use_kernels(before)


@pytest.fixture()
def built() -> None:
    """Skip where the machine cannot build the kernels; elsewhere make them obligatory."""
    if kernels.why_not():
        pytest.skip(f"kernels not available: {kernels.why_not()}")
    kernels.use_kernels("on")
