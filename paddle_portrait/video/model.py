"""The model that a video command names, set up for running beside decoders and encoders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from paddle_portrait import zoo
from paddle_portrait.errors import UserError
from paddle_portrait.inference import Predictor


def load_model(
    config: str | None = None,
    model: str | None = None,
    backend: str = "auto",
    threads: int | None = None,
    input_shape: Sequence[int] | None = None,
    vertical: bool = False,
) -> Predictor:
    """Load an export.

    Args:
        config: its ``deploy.yaml``.
        model: or the directory, or a zoo name; neither: the zoo's default.
        backend: name of a back end.
        threads: of one call; None: a quarter of the cores, since two calls
            run side by side and codecs want the other half.
        input_shape: H W, or N C H W, of the network's input; None: as exported.
        vertical: swap the sides of an input that is wider than high.

    Raises:
        UserError: two models are named, or it cannot be loaded, or its graph takes no other size.
    """
    if config and model:
        raise UserError("--config and --model name a model each: give one of them.")
    directory = model or (Path(config).parent if config else zoo.default_export())
    if config and not Path(config).is_file():
        raise UserError(f"--config {config}: the file does not exist. It is the deploy.yaml of an exported model.")
    predictor = Predictor.load(directory, backend, threads or max(1, (os.cpu_count() or 1) // 4))
    if input_shape is not None:
        if len(input_shape) not in (2, 4) or min(input_shape[-2:]) < 1:
            raise UserError(f"--input_shape {' '.join(map(str, input_shape))}: give H W, or N C H W.")
        predictor = predictor.with_input_size((input_shape[-2], input_shape[-1]))
    size = predictor.input_size_hw
    if vertical and size is not None and size[1] > size[0]:
        predictor = predictor.with_input_size((size[1], size[0]))
    return predictor
