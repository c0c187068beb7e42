"""Child of training_speed.py: PaddleSeg's own train() on a config, with the clock of _phases.py.

    python _train_paddleseg.py OUT.json CONFIG WORKERS WARM_UP SEED SAVE_DIR

writes the clock's summary, and the weights as SAVE_DIR/iter_N/model.pdparams. Under Paddle's launcher each process
takes its share of the config's batch, and the first one writes.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from _phases import PhaseClock


def mend_cross_entropy() -> None:
    """Let PaddleSeg 2.8.0's cross entropy run on Paddle 3: it multiplies int64 ones with a float mask.

    The cost of the added cast is one pass over the labels, small beside the loss itself.
    """
    from paddleseg.models.losses import CrossEntropyLoss

    original = CrossEntropyLoss._post_process_loss

    def mended(self: Any, logit: Any, label: Any, semantic_weights: Any, loss: Any) -> Any:
        return original(self, logit, label.astype("float32"), semantic_weights, loss)

    CrossEntropyLoss._post_process_loss = mended


def main(config_path: str, num_workers: int, warm_up: int, seed: int, save_dir: str) -> dict[str, Any]:
    """Train as PaddleSeg's tools/train.py does, and return the clock's summary."""
    import paddle
    from paddleseg.core import train
    from paddleseg.cvlibs import Config, SegBuilder
    from paddleseg.utils import utils

    config = Config(config_path)
    utils.set_seed(seed)
    mend_cross_entropy()
    builder = SegBuilder(config)
    clock = PhaseClock()
    clock.watch(type(builder.model))
    try:
        train(
            builder.model,
            builder.train_dataset,
            optimizer=builder.optimizer,
            save_dir=save_dir,
            iters=config.iters,
            batch_size=config.batch_size // paddle.distributed.get_world_size(),
            num_workers=num_workers,
            losses=builder.loss,
            # Its log line indexes losses that are numbers today and would end the run.
            log_iters=10**9,
            save_interval=10**9,
        )
    except TypeError:
        # All iterations are done by then: it counts the network's operations, which numpy 2 breaks.
        if len(clock.rows) < config.iters:
            raise
    return clock.summary(config.batch_size, warm_up)


if __name__ == "__main__":
    summary = main(sys.argv[2], *(int(word) for word in sys.argv[3:6]), sys.argv[6])
    if os.environ.get("PADDLE_TRAINER_ID", "0") == "0":
        Path(sys.argv[1]).write_text(json.dumps(summary), encoding="utf-8")
