"""What a ``.pdmodel`` file needs changed after Paddle 3 has written it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

# The file of the exporting machine's source lines and paths.
_PRIVATE_ATTRIBUTE = "op_callstack"


def clean_program(path: Path) -> None:
    """Mend a ``.pdmodel`` file in place.

    ``relu6`` gets its ``threshold`` back, which Paddle no longer writes and Paddle Lite demands; the paths and
    code lines of the exporting machine are removed.
    """
    from paddle.base.proto import framework_pb2

    program = read_program(path)
    for block in program.blocks:
        for operator in block.ops:
            kept = [attribute for attribute in operator.attrs if attribute.name != _PRIVATE_ATTRIBUTE]
            if operator.type == "relu6" and all(attribute.name != "threshold" for attribute in kept):
                kept.append(framework_pb2.OpDesc.Attr(name="threshold", type=framework_pb2.AttrType.FLOAT, f=6.0))
            # Attributes are compared as a new list: deleting from protobuf's own while walking it skips entries.
            del operator.attrs[:]
            operator.attrs.extend(kept)
    path.write_bytes(program.SerializeToString())


def count_program_operators(path: Path) -> dict[str, int]:
    """Return how many operators of each type a ``.pdmodel`` file holds."""
    operators = (operator.type for block in read_program(path).blocks for operator in block.ops)
    return dict(Counter(name for name in operators if name not in ("feed", "fetch")))


def read_program(path: Path) -> Any:
    """Return the ``ProgramDesc`` message of a ``.pdmodel`` file."""
    from paddle.base.proto import framework_pb2

    program = framework_pb2.ProgramDesc()
    program.ParseFromString(path.read_bytes())
    return program
