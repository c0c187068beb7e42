"""The models of a server: its own, loaded at the start, and those of the zoo that rembg's names mean."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

import numpy as np

from paddle_portrait import zoo
from paddle_portrait.console import logger
from paddle_portrait.inference import Predictor
from paddle_portrait.serving.batching import Batcher
from paddle_portrait.serving.settings import Settings

_LARGER_BATCHES, _TRIALS, _CLEARLY = (2, 4, 8), 3, 0.05
_LONGEST_CHOICE_S = 1.0


class Model:
    """A predictor and the queue before it."""

    def __init__(self, predictor: Predictor, settings: Settings, note_batch: Callable[[int, float], None]) -> None:
        self.predictor = predictor
        self.batcher = Batcher(
            predictor.person_at_network_size,
            _most_at_once(predictor, settings.max_batch),
            settings.max_wait_ms / 1e3,
            settings.usable_runners(),
            note_batch,
        )


def _most_at_once(predictor: Predictor, wanted: int) -> int:
    """Return how many tensors a run takes: ``wanted``, or where that is 0 what serves most pictures a second here.

    On few cores a batch does not pay: its activations leave the cache. So sizes are tried from below, each in turns
    with the best so far, until one is clearly worse or the time is up.
    """
    if not predictor.takes_any_batch:
        return 1
    if wanted:
        return wanted
    single, _ = predictor.prepare(np.zeros((*predictor.usual_size_hw, 3), np.uint8))
    _seconds_each(predictor, single, 1)  # the first run is slow in every runtime
    best, until = 1, time.monotonic() + _LONGEST_CHOICE_S
    for count in _LARGER_BATCHES:
        gain = _gain(predictor, single, best, count, until)
        if gain > 1 + _CLEARLY:
            best = count
        elif gain < 1 - _CLEARLY or time.monotonic() > until:
            break
    logger.info("%s: up to %d pictures go through the network together (--max_batch)", predictor.directory.name, best)
    return best


def _gain(predictor: Predictor, single: np.ndarray, best: int, count: int, until: float) -> float:
    """Return how many times as many pictures a second batches of ``count`` serve as those of ``best``."""
    quickest = {best: math.inf, count: math.inf}
    for trial in range(_TRIALS):
        if trial and time.monotonic() > until:
            break
        for size, seconds in quickest.items():
            quickest[size] = min(seconds, _seconds_each(predictor, single, size))
    return quickest[best] / quickest[count]


def _seconds_each(predictor: Predictor, single: np.ndarray, count: int) -> float:
    tensor = np.repeat(single, count, axis=0)
    start = time.perf_counter()
    predictor.person_at_network_size(tensor)
    return (time.perf_counter() - start) / count


class Models:
    """Models by name; "" is the server's own. Others are loaded when they are first asked for, and kept."""

    def __init__(self, settings: Settings, note_batch: Callable[[int, float], None]) -> None:
        self._settings, self._note_batch = settings, note_batch
        self._loading = threading.Lock()
        own = settings.model or zoo.default_export()
        self._models = {"": self._load(own)}
        self.own_name = str(own) if settings.model else zoo.default_export().name

    def loaded(self, name: str) -> Model | None:
        """Return a model that needs no loading; None where there is none."""
        return self._models.get("" if name == self.own_name else name)

    def get(self, name: str) -> Model:
        """Return a model, which this may load; for threads that may take their time.

        Raises:
            UserError: the zoo has no such export, or it cannot be loaded.
        """
        if name == self.own_name:
            name = ""
        with self._loading:
            if name not in self._models:
                logger.info("loading %s, which a client has asked for", name)
                self._models[name] = self._load(name)
            return self._models[name]

    def close(self) -> None:
        """Finish what waits."""
        for model in self._models.values():
            model.batcher.close()

    def _load(self, directory: object) -> Model:
        predictor = Predictor.load(str(directory), self._settings.backend, self._settings.threads)
        return Model(predictor, self._settings, self._note_batch)
