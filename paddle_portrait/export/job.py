"""One export under way: what is exported, and the artefacts that targets build from each other."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from paddle_portrait.inference.deploy_file import TargetFiles

if TYPE_CHECKING:
    from paddle import nn

    from paddle_portrait.export.choices import Shape


@dataclass
class ExportJob:
    """What every target needs to know.

    Attributes:
        network: the trained network, in evaluation mode.
        output_op: what the graph ends in.
        input_shape: N, C, H, W; -1 where any size goes.
        scratch: a directory for intermediate files, gone after the export.
    """

    network: nn.Layer
    output_op: str
    input_shape: Shape
    scratch: Path
    _built: dict[str, tuple[Path, TargetFiles]] = field(default_factory=dict)

    def build(self, name: str) -> tuple[Path, TargetFiles]:
        """Return the folder and the files of target ``name``, written once however many targets ask for it."""
        from paddle_portrait.export.targets import load_target

        if name not in self._built:
            folder = self.scratch / name
            folder.mkdir(parents=True)
            self._built[name] = (folder, load_target(name).write(self, folder))
        return self._built[name]

    def place(self, name: str, root: Path, subfolder: str) -> TargetFiles:
        """Copy the files of target ``name`` to ``root/subfolder``; returns them relative to ``root``."""
        folder, files = self.build(name)
        for file in files.names():
            (root / subfolder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / file, root / subfolder / file)
        placed = files.below(subfolder)
        placed.record_sums(root)
        return placed
