"""Tracing a network into a file of Paddle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddle_portrait.export.errors import ExportError
from paddle_portrait.export.out_notice import spend_out_notice

if TYPE_CHECKING:
    from paddle_portrait.export.job import ExportJob

INPUT_NAME = "x"

_LONGEST_REASON = 300


def save_traced(job: ExportJob, folder: Path, file_format: AbstractContextManager[Any] | None = None) -> None:
    """Write ``model.*`` of the job's inference graph into ``folder``.

    Args:
        job: what to trace.
        folder: where the files go.
        file_format: a context in which Paddle writes another format than its present one.

    Raises:
        ExportError: the network cannot be traced.
    """
    import paddle

    from paddle_portrait import models
    from paddle_portrait.export import last_resize

    # Our networks do not branch on values, so they are traced as they stand. Paddle's rewriting of their
    # source would turn branches on sizes that are merely unknown yet into branches of the graph.
    paddle.jit.ignore_module([models, last_resize])
    spend_out_notice()
    graph = job.graph()
    shape = [None if size == -1 else size for size in job.input_shape]
    spec = [paddle.static.InputSpec(shape, job.input_dtype, INPUT_NAME)]
    try:
        with file_format or nullcontext(), shapes_known():
            paddle.jit.save(paddle.jit.to_static(graph, input_spec=spec, full_graph=True), str(folder / "model"))
    except Exception as error:  # tracing runs the network's own code, which may raise anything
        raise ExportError(
            f"the network cannot be traced with input shape {list(job.input_shape)}: {reason(error)}"
        ) from error


@contextmanager
def shapes_known() -> Iterator[None]:
    """While tracing, let ``paddle.shape`` give the numbers where they are known.

    Networks ask for sizes with it so that exports work at any size. In a graph of one size every such question would
    become operators, and hide the sizes of all that comes after.
    """
    import paddle

    original = paddle.shape

    def shape(tensor: Any, name: str | None = None) -> Any:
        sizes = list(tensor.shape)
        return original(tensor) if any(size < 0 for size in sizes) else sizes

    paddle.shape = shape
    try:
        yield
    finally:
        paddle.shape = original


def reason(error: Exception) -> str:
    """Return the line of Paddle's long messages that says what was wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if "Error" in line]
    text = named[-1] if named else f"{type(error).__name__}: {lines[-1] if lines else ''}"
    return text[:_LONGEST_REASON]
