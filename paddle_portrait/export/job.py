"""One export under way: what is exported, and the artefacts that targets build from each other."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from paddle_portrait.console import logger
from paddle_portrait.inference.deploy_file import TargetFiles

if TYPE_CHECKING:
    import numpy as np
    from paddle import nn

    from paddle_portrait.export.choices import Shape
    from paddle_portrait.export.last_resize import LastResize
    from paddle_portrait.export.options import ExportOptions
    from paddle_portrait.export.parity import Trial
    from paddle_portrait.inference.graph_form import GraphForm
    from paddle_portrait.preprocess import Preprocess


# Sides of an image on which a network is looked at where any size goes: encoders halve them five or six times.
_ANY_SIDE = 192


@dataclass
class ExportJob:
    """What every target needs to know.

    Attributes:
        network: the trained network, in evaluation mode.
        options: the form of the graph.
        input_shape: N, C, H, W of the graph; -1 where any size goes.
        scratch: a directory for intermediate files, gone after the export.
        preprocess: what turns levels into the network's input; None: nothing, and there are no trials.
        channels: input channels of the network; None: as many as the graph takes.
        photos: real photos for the trials, uint8 H×W×3 each.
        whole: the export that went wrong, of whose network this one is a part; None: nothing did.
    """

    network: nn.Layer
    options: ExportOptions
    input_shape: Shape
    scratch: Path
    preprocess: Preprocess | None = None
    channels: int | None = None
    photos: Sequence[np.ndarray] = ()
    whole: ExportJob | None = None
    _built: dict[str, tuple[Path, TargetFiles]] = field(default_factory=dict)

    @property
    def output_op(self) -> str:
        """What the graph ends in."""
        return self.options.output_op

    @property
    def input_dtype(self) -> str:
        """The numpy name of the type that the graph takes."""
        return "uint8" if self.options.normalise_in_graph else "float32"

    @property
    def network_shape(self) -> tuple[int, int, int, int]:
        """N, C, H, W of an input of the network, all known."""
        count, channels, height, width = self.input_shape
        sides = (_ANY_SIDE if side == -1 else side for side in (height, width))
        return (max(count, 1), self.channels or channels, *sides)  # type: ignore[return-value]

    @cached_property
    def deployed(self) -> nn.Layer:
        """The network without what only training needs: triples merged, norms folded, dropout and aux heads gone."""
        from paddle_portrait.export.folding import fold_norms
        from paddle_portrait.export.graph import as_deployed
        from paddle_portrait.export.subnormals import without_subnormals

        return without_subnormals(fold_norms(as_deployed(self.network), self.network_shape))

    @cached_property
    def last_resize(self) -> LastResize | None:
        """The resize that is left to the host, if any is."""
        import paddle

        from paddle_portrait.export.last_resize import find_last_resize

        if self.options.upsample_in_graph:
            return None
        return find_last_resize(self.deployed, paddle.zeros(self.network_shape))

    @cached_property
    def trials(self) -> list[Trial]:
        """What every target is to be asked, with the network's own answers."""
        from paddle_portrait.export.parity import make_trials

        assert self.preprocess is not None  # the exporter always gives it
        return make_trials(self.network, self.preprocess, self.input_shape, self.channels, self.photos)

    @cached_property
    def form(self) -> GraphForm:
        """What the graph takes and gives."""
        from paddle_portrait.inference.graph_form import GraphForm

        options = self.options
        return GraphForm(
            input_dtype=self.input_dtype,
            input_channels=options.pad_input_channels,
            classes=1 if options.output_op == "sigmoid" else self.trials[0].logits.shape[1],
            bit_packed=options.bit_packed,
            flat=options.flatten_output,
            upsampling=None if self.last_resize is None else self.last_resize.upsampling,
        )

    def graph(self) -> nn.Layer:
        """Return the layer to be traced; a new one every time, since Paddle keeps the traced program in it."""
        from paddle_portrait.export.graph import InferenceGraph
        from paddle_portrait.export.last_resize import WithoutLastResize
        from paddle_portrait.export.transforms import normalising_lines
        from paddle_portrait.export.wider_input import widen_input

        network, used = widen_input(self.deployed, self.network_shape, self.input_shape[1])
        if self.last_resize is not None:
            network = WithoutLastResize(network, self.last_resize)
        normalise = None
        if self.options.normalise_in_graph:
            assert self.preprocess is not None  # the exporter always gives it
            normalise = normalising_lines(self.preprocess, used or self.input_shape[1])
        graph = InferenceGraph(network, self.options, used, normalise)
        graph.eval()
        return graph

    def build(self, name: str) -> tuple[Path, TargetFiles]:
        """Return the folder and the files of target ``name``, written once however many targets ask for it."""
        from paddle_portrait.export.targets import PADDLE_FORMATS, load_target

        if name not in self._built:
            folder = self.scratch / name
            folder.mkdir(parents=True)
            # Tracing and converters take up to a minute each on a busy machine.
            logger.info("%s: %s", name, "tracing the network" if name in PADDLE_FORMATS else "converting")
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
