"""Where the time of a training iteration goes, measured the same way in any Paddle trainer.

Three methods that every trainer must call (the network's forward, ``Tensor.backward`` and the optimizer's ``step``)
note the time. The CPU computes each before it returns, so the notes cut an iteration into

    load      from the end of the last update to the forward call: reading, augmenting, logging, bookkeeping
    forward   the network and the loss
    backward  the gradients (and, with several processes, their exchange)
    update    the optimizer
"""

from __future__ import annotations

import functools
import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

Note = Callable[[], None]
PHASES = ("load", "forward", "backward", "update")


class PhaseClock:
    """Notes of (forward begins, backward begins, update begins, update ends), one row an iteration."""

    def __init__(self) -> None:
        self._current: list[float] = []
        self.rows: list[list[float]] = []
        self.at_first_update: Callable[[], None] | None = None

    def watch(self, network: type) -> None:
        """Patch the classes for the rest of this process."""
        import paddle

        self._before(network, "forward", self._note_forward)
        self._before(paddle.Tensor, "backward", self._note)
        for optimizer in vars(paddle.optimizer).values():
            if isinstance(optimizer, type) and "step" in vars(optimizer):  # some have a step of their own
                self._before(optimizer, "step", self._note, after=self._note_end)

    def summary(self, batch_size: int, warm_up: int) -> dict[str, Any]:
        """Return images per second and mean milliseconds a phase, the first ``warm_up`` iterations left out."""
        rows = self.rows[warm_up:]
        if len(rows) < 2:
            raise ValueError(f"{len(self.rows)} iterations were seen; at least {warm_up + 2} are needed")
        elapsed = rows[-1][3] - rows[0][3]
        pairs = list(itertools.pairwise(rows))
        cuts = [(now[0] - last[3], now[1] - now[0], now[2] - now[1], now[3] - now[2]) for last, now in pairs]
        means = {name: round(1000 * statistics.fmean(cut[i] for cut in cuts), 2) for i, name in enumerate(PHASES)}
        return {"images_per_second": round(batch_size * len(pairs) / elapsed, 2), "ms_per_iteration": means}

    def _before(
        self, owner: type, name: str, note: Callable[[], None], after: Callable[[], None] | None = None
    ) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def noted(*args: Any, **kwargs: Any) -> Any:
            note()
            result = original(*args, **kwargs)
            if after is not None:
                after()
            return result

        setattr(owner, name, noted)

    def _note(self) -> None:
        self._current.append(time.perf_counter())

    def _note_forward(self) -> None:
        # A forward without an update, as in evaluation, does not count.
        self._current = [time.perf_counter()]

    def _note_end(self) -> None:
        self._note()
        if len(self._current) == 4:
            self.rows.append(self._current)
            if len(self.rows) == 1 and self.at_first_update is not None:
                self.at_first_update()
        self._current = []
