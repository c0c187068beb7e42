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
    code lines of the exporting machine are removed; biases are added as they are (:func:`add_biases_directly`).
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
        add_biases_directly(block)
    path.write_bytes(program.SerializeToString())


def add_biases_directly(block: Any) -> None:
    """Let convolutions' biases be added along the channels, instead of reshaped first at every run.

    Paddle 3 writes convolution, reshape2, elementwise_add; runtimes join only the first and the last of the three.
    """
    parameters = {variable.name for variable in block.vars if variable.persistable}
    read_by: dict[str, list[Any]] = {}
    for operator in block.ops:
        for slot in operator.inputs:
            for name in slot.arguments:
                read_by.setdefault(name, []).append(operator)
    kept: list[Any] = []
    gone: set[str] = set()
    for operator in block.ops:
        source, result = argument(operator.inputs, "X"), argument(operator.outputs, "Out")
        readers = read_by.get(result, [])
        if (
            source in parameters
            and _spreads_over_channels(operator)
            and len(readers) == 1
            and _adds(readers[0], result)
        ):
            replace_argument(readers[0].inputs, "Y", source)
            next(attribute for attribute in readers[0].attrs if attribute.name == "axis").i = 1
            gone.update(name for slot in operator.outputs for name in slot.arguments)
        else:
            kept.append(operator)
    variables = [variable for variable in block.vars if variable.name not in gone]
    del block.ops[:], block.vars[:]
    block.ops.extend(kept)
    block.vars.extend(variables)


def argument(slots: Any, parameter: str) -> str:
    """Return the first variable in slot ``parameter`` of an operator's inputs or outputs; "" where there is none."""
    return next((slot.arguments[0] for slot in slots if slot.parameter == parameter and slot.arguments), "")


def replace_argument(slots: Any, parameter: str, name: str) -> None:
    """Put variable ``name`` into slot ``parameter`` of an operator's inputs or outputs."""
    next(slot for slot in slots if slot.parameter == parameter).arguments[0] = name


def _spreads_over_channels(operator: Any) -> bool:
    shape = next((list(attribute.ints) for attribute in operator.attrs if attribute.name == "shape"), [])
    return operator.type == "reshape2" and len(shape) == 4 and shape[0] == 1 and shape[2:] == [1, 1]


def _adds(operator: Any, name: str) -> bool:
    axis = next((attribute.i for attribute in operator.attrs if attribute.name == "axis"), None)
    return operator.type == "elementwise_add" and axis == -1 and argument(operator.inputs, "Y") == name


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
