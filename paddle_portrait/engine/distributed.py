"""Several processes: start-up, agreement between them, and relaunching oneself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
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


def run_within(seconds: float, command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a command to its end; when it takes longer, or this process is interrupted, kill it and all it started.

    Raises:
        subprocess.TimeoutExpired: it took longer than ``seconds``.
        subprocess.CalledProcessError: it failed; ``stderr`` has what it said.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            output, errors = process.communicate(timeout=seconds)
        except BaseException:
            _kill_all(process)
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output, errors)


def _kill_all(process: subprocess.Popen[str]) -> None:
    """Kill a process with its group and its descendants: Paddle's launcher gives each rank a group of its own."""
    if os.name != "posix":
        process.kill()
        return
    descendants = _descendants(process.pid)
    os.killpg(process.pid, signal.SIGKILL)
    for number in descendants:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def _descendants(number: int) -> list[int]:
    """Return the running children of a process, their children, and so on; nothing where /proc does not tell."""
    children: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(file.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(file.parent.name))
    found = [number]
    for one in found:  # grows meanwhile
        found += children.get(one, [])
    return found[1:]
