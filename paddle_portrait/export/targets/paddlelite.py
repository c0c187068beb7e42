"""Paddle Lite: ``x86.nb``, which is run here as the proof of all, and files for phones from the same graph."""

from __future__ import annotations

import struct
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from paddle_portrait.errors import UserError
from paddle_portrait.export.child import run_program
from paddle_portrait.export.errors import MissingPackageError
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.lite_program import write_for_lite
from paddle_portrait.export.targets import INT8_LIMIT
from paddle_portrait.inference.deploy_file import TargetFiles
from paddle_portrait.inference.lite import environment

# Only weights are quantised; computing stays in float. Paddle Lite's full int8 was far off when it was tried on x86;
# whose fault that was is not shown.
VARIANT_LIMITS = {"x86_int8": INT8_LIMIT}
# The weights of a phone's file are those of the x86 file: what is wrong here is wrong there.
LEFT_OUT_TOGETHER = {"x86_int8": ("x86_int8", "arm_int8")}

_CONVERTER = Path(environment.__file__).with_name("opt.py")
# Name of a file: where it runs, and how its numbers are stored.
_FILES = {
    "x86": ("x86", "fp32"),
    "arm": ("arm", "fp32"),
    "arm_fp16": ("arm", "fp16"),
    "arm_opencl": ("opencl,arm", "fp32"),
    "x86_int8": ("x86", "int8"),
    "arm_int8": ("arm", "int8"),
}
# A .nb file: version of the format, version of the converter in 16 bytes, size of the graph, graph, weights.
_HEADER = struct.Struct("<H16sQ")


def write(job: ExportJob, folder: Path) -> TargetFiles:
    """Convert the job's legacy graph for every processor."""
    python = _require_python()
    source, files = job.build("paddle_legacy")
    program = job.scratch / "for_lite.pdmodel"
    write_for_lite(source / files.model, program)
    # Weights in int8 would not spare the powers of two that pack sixteen pixels into a float.
    wanted = {name: how for name, how in _FILES.items() if how[1] != "int8" or job.options.bit_packed != 16}
    for name, (places, precision) in wanted.items():
        result = folder / f"{name}.nb"
        arguments = [program, source / str(files.params), places, precision, result.with_suffix("")]
        run_program("paddlelite", [str(python), "-I", str(_CONVERTER), *map(str, arguments)], result)
        _clear_header(result)
    return TargetFiles("x86.nb", variants={name: f"{name}.nb" for name in wanted if name != "x86"})


def _require_python() -> Path:
    try:
        return environment.require_python("format paddlelite")
    except UserError as error:
        raise MissingPackageError(str(error)) from None


def operator_names() -> set[str]:
    """Return the names that Paddle Lite prints as supported on x86 and arm; it names some that it cannot run."""
    python = _require_python()
    code = "import sys; from paddlelite.lite import Opt; o = Opt(); o.set_valid_places(sys.argv[1]); "
    names: list[set[str]] = []
    for place in ("x86", "arm"):
        command = [str(python), "-I", "-c", code + "o.print_supported_ops()", place]
        lines = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.splitlines()
        names.append({line.split()[0] for line in lines if line.rstrip().endswith("Y")})
    return set.intersection(*names)


def count_operators(folder: Path, files: TargetFiles) -> dict[str, int]:
    """Return how many operators of each type the x86 graph holds after Paddle Lite has joined what it can."""
    content = (folder / files.model).read_bytes()
    size = _HEADER.unpack_from(content)[2]
    graph = _FlatBuffer(content[_HEADER.size : _HEADER.size + size])
    kinds = [
        graph.text(graph.field(operator, 0))
        for block in graph.tables(graph.field(graph.table(0), 0))
        for operator in graph.tables(graph.field(block, 3))
    ]
    return dict(Counter(kind for kind in kinds if kind not in ("feed", "fetch")))


def _clear_header(path: Path) -> None:
    """Overwrite what lay in the converter's memory behind its version: equal graphs give equal files."""
    content = bytearray(path.read_bytes())
    form, version, size = _HEADER.unpack_from(content)
    _HEADER.pack_into(content, 0, form, version.split(b"\0")[0], size)
    path.write_bytes(content)


class _FlatBuffer(NamedTuple):
    """As much of the FlatBuffers format as it takes to walk down to names; positions are absolute."""

    content: bytes

    def table(self, position: int) -> int:
        """Follow the reference at ``position``."""
        return position + struct.unpack_from("<I", self.content, position)[0]

    def field(self, table: int, index: int) -> int:
        """Return where a field that is present lies."""
        layout = table - struct.unpack_from("<i", self.content, table)[0]
        return table + struct.unpack_from("<H", self.content, layout + 4 + 2 * index)[0]

    def tables(self, position: int) -> Iterator[int]:
        """Yield the tables of the vector that is referred to at ``position``."""
        vector = self.table(position)
        for index in range(struct.unpack_from("<I", self.content, vector)[0]):
            yield self.table(vector + 4 + 4 * index)

    def text(self, position: int) -> str:
        """Return the text that is referred to at ``position``."""
        start = self.table(position)
        length = struct.unpack_from("<I", self.content, start)[0]
        return self.content[start + 4 : start + 4 + length].decode()
