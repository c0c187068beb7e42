"""Several processes: start-up, agreement between them, and relaunching oneself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def rank() -> int:
    """Return this process's number, 0 where there is one process."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0"))


def world_size() -> int:
    """Return the number of processes of this run."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def is_main() -> bool:
    """Say whether this process writes files and talks."""
    return rank() == 0


def start() -> None:
    """Join the other processes of this run, where the launcher started several."""
    if world_size() > 1:
        import paddle.distributed as dist

        dist.init_parallel_env()


def any_process(flag: bool) -> bool:
    """Return whether ``flag`` is set in any process. All must call it, or all wait for ever."""
    if world_size() == 1:
        return flag
    import paddle
    import paddle.distributed as dist

    count = paddle.to_tensor([float(flag)])
    dist.all_reduce(count)
    return bool(count.item() > 0)


def mean_over_processes(values: Sequence[float]) -> list[float]:
    """Return the mean of each value over all processes. All must call it with as many values."""
    if world_size() == 1:
        return list(values)
    import paddle
    import paddle.distributed as dist

    total = paddle.to_tensor(list(values), dtype="float64")
    dist.all_reduce(total)  # gloo knows no mean
    return [float(value) / world_size() for value in total.numpy()]


def broadcast_float(value: float) -> float:
    """Return the main process's ``value`` in all processes. All must call it."""
    if world_size() == 1:
        return value
    import paddle
    import paddle.distributed as dist

    shared = paddle.to_tensor([value], dtype="float64")
    dist.broadcast(shared, src=0)
    return float(shared.item())


def launch_command(
    script: Sequence[str], processes: int, log_dir: str, threads: int | None = None
) -> tuple[list[str], dict[str, str]]:
    """Return command and environment that run ``python script…``, by Paddle's launcher where in several processes.

    ``threads`` of each process: None takes its share of the cores (for the stock CPU kernels hardly use a second one)
    unless ``OMP_NUM_THREADS`` is set.
    """
    environment = dict(os.environ)
    package_parent = str(Path(__file__).resolve().parents[2])  # a checkout need not be installed
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package_parent, environment.get("PYTHONPATH")]))
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    if processes == 1:
        return [sys.executable, *script], environment
    launcher = [sys.executable, "-m", "paddle.distributed.launch", f"--nproc_per_node={processes}"]
    return [*launcher, f"--log_dir={log_dir}", *script], environment


def relaunch(script: Sequence[str], processes: int, log_dir: str) -> int:
    """Run ``python script…`` in ``processes`` processes through Paddle's launcher; return its exit code."""
    command, environment = launch_command(script, processes, log_dir)
    return subprocess.call(command, env=environment)
