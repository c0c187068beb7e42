"""The process in which back ends are timed: ``python -m … DIRECTORY THREADS EVENTS NAME NAME …``.

It appends to the file EVENTS the name of each back end before that one's code runs, when it is loaded and in every
turn, and at last the milliseconds of all as JSON, so that a reader knows whose code ended the process.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from paddle_portrait.console import logger
from paddle_portrait.errors import UserError
from paddle_portrait.inference.backends import open_backend
from paddle_portrait.inference.deploy_file import DeployFile
from paddle_portrait.inference.predictor import Predictor

_TURN_CALLS = 4  # the first of which finds the caches cold, and does not count
_LEAST_TURNS, _MOST_TURNS = 8, 30
_BUDGET_S = 2.0


def time_in_turns(
    predictors: Sequence[Predictor],
    budget_s: float = _BUDGET_S,
    announce: Callable[[str], None] = lambda name: None,
) -> list[np.ndarray]:
    """Time calls of each predictor in turns, so that all meet the same load.

    Args:
        predictors: of the same model.
        budget_s: seconds for each, unless eight turns take longer.
        announce: called with the name of a back end before its calls of a turn, which are timed without it.

    Returns:
        Milliseconds of the calls of each.
    """
    tensors = [usual_input(predictor) for predictor in predictors]
    times: list[list[float]] = [[] for _ in predictors]
    begin = perf_counter()
    for turn in range(max(_LEAST_TURNS, int(_MOST_TURNS * budget_s / _BUDGET_S))):
        if turn >= _LEAST_TURNS and perf_counter() - begin > budget_s * len(predictors):
            break
        for predictor, tensor, own in zip(predictors, tensors, times, strict=True):
            announce(predictor.backend_name)
            for call in range(_TURN_CALLS):
                started = perf_counter()
                predictor.run(tensor)
                if call and turn:
                    own.append((perf_counter() - started) * 1e3)
    return [np.array(own) for own in times]


def usual_input(predictor: Predictor) -> np.ndarray:
    """Return the graph's input for some image."""
    height, width = predictor.usual_size_hw
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return predictor.prepare(image)[0]


def main() -> None:
    """Time the back ends that the command line names."""
    folder, threads, events, *names = sys.argv[1:]
    directory, log = Path(folder), Path(events)
    deploy = DeployFile.read(directory)
    predictors = []
    for name in names:
        _append(log, name)
        try:
            backend = open_backend(name, directory, deploy.targets[name], int(threads) or None)
            predictor = Predictor(directory, deploy, name, backend)
            predictor.run(usual_input(predictor))
        except UserError as error:
            logger.warning("back end %s is left out: %s", name, error)
        else:
            predictors.append(predictor)
    times = time_in_turns(predictors, announce=partial(_append, log))
    # The least, since whatever is above it is the machine's other work: on a busy one even quantiles are.
    figures = {each.backend_name: float(ms.min()) for each, ms in zip(predictors, times, strict=True)}
    _append(log, json.dumps(figures))


def _append(file: Path, line: str) -> None:
    with file.open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


if __name__ == "__main__":
    main()
