"""What the connectivity loss adds to a training step of PP-HumanSeg-Lite: 398x224 (width x height), batch 8, one core.

Both are measured in turn within one run, by the processor time of this process, on Paddle's stock kernels. The
loss's cost depends on how many pieces the prediction has, so three are measured: one that is nearly right, that of
the untrained network, and white noise, which no network gives.
"""

from __future__ import annotations

import argparse
import os


def main() -> None:
    """Measure and write ``results/connectivity_cost.json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="rounds, of which the medians count (default: 7)")
    rounds = parser.parse_args().rounds
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before Paddle is loaded

    from _connectivity_case import measure
    from _record import record

    record("connectivity_cost", measure(rounds))


if __name__ == "__main__":
    main()
