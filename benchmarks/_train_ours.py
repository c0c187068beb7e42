"""Child of the benchmarks: our own train command under the clock of _phases.py.

    python _train_ours.py OUT.json WARM_UP FLAGS OF tools/train.py…

writes the clock's summary. With WARM_UP 0 the process instead ends at its first update and writes the time of day.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from _phases import PhaseClock
from _record import ROOT

sys.path.insert(0, str(ROOT))
from paddle_portrait.cli import train


def main(out: Path, warm_up: int, flags: list[str]) -> int:
    """Train, and write what the clock saw; only the first of several processes writes."""
    from paddle_portrait.config import load_config
    from paddle_portrait.engine import distributed
    from paddle_portrait.registry import MODELS

    arguments = train.build_parser().parse_args(flags)
    config = load_config(arguments.config, arguments.opts, {"batch_size": arguments.batch_size})
    clock = PhaseClock()
    if warm_up == 0:
        clock.at_first_update = lambda: end_at_once(out)
    clock.watch(MODELS.get(config["model.type"]))
    code = train.main(flags)
    if code == 0 and distributed.is_main():
        out.write_text(json.dumps(clock.summary(int(config["batch_size"]), warm_up)), encoding="utf-8")
    return code


def end_at_once(out: Path) -> None:
    """Write the time of day and end the process without the run's own ending."""
    out.write_text(json.dumps({"first_update": time.time()}), encoding="utf-8")
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
