"""What an exported graph is to take and to give, settled and checked before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from paddle_portrait.console import logger
from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.export.choices import Shape, settle_output_op
from paddle_portrait.inference.outputs import OUTPUT_OPS
from paddle_portrait.preprocess.bit_packing import PACKINGS


@dataclass(frozen=True)
class ExportOptions:
    """The form of an exported graph; the defaults are the plain one, as in PaddleSeg.

    Attributes:
        output_op: ``"argmax"``, ``"softmax"``, ``"sigmoid"`` (the person's probability alone) or ``"none"`` (logits).
        bit_packed: give the mask with 8 pixels in a byte (for CPUs) or 16 in a float (for GPUs); None: not packed.
        flatten_output: give N×values.
        pad_input_channels: take this many channels, of which those beyond the image's are ignored; None: its own.
        upsample_in_graph: False leaves the network's last resize to the host.
        normalise_in_graph: take uint8 levels and normalise them in the graph.
        rewrites: write the ONNX graph in a form that computes the same in less time; False: layer by layer, as
            quantisers of trained ranges want it.

    Raises:
        UserError: a value is unknown, or two of them exclude each other.
    """

    output_op: str = "argmax"
    bit_packed: int | None = None
    flatten_output: bool = False
    pad_input_channels: int | None = None
    upsample_in_graph: bool = True
    normalise_in_graph: bool = False
    rewrites: bool = True

    def __post_init__(self) -> None:
        if self.output_op not in OUTPUT_OPS:
            raise UserError(describe_unknown("output_op", str(self.output_op), OUTPUT_OPS))
        if self.bit_packed is not None and self.bit_packed not in PACKINGS:
            raise UserError(f"bit_packed {self.bit_packed}: give {' or '.join(map(str, PACKINGS))} pixels in a value.")
        if self.bit_packed is not None and self.output_op != "argmax":
            raise UserError(
                f"bit_packed packs a mask, but output_op is '{self.output_op}'. Leave bit_packed out, or choose argmax."
            )
        if not self.upsample_in_graph and self.output_op == "argmax":
            raise UserError(
                "upsample_in_graph is off, but class numbers cannot be upsampled. "
                "Choose output_op none or softmax, or leave the resize in the graph."
            )

    @property
    def output_dtype(self) -> str:
        """The numpy name of the output's type."""
        if self.output_op != "argmax":
            return "float32"
        return {None: "int32", 8: "uint8", 16: "float32"}[self.bit_packed]

    def check_shape(self, shape: Shape, image_channels: int, takes_prior: bool) -> None:
        """Raise UserError when these options do not go with an input shape N, C, H, W of the network."""
        channels, height, width = shape[1:]
        if self.bit_packed and (width == -1 or width % self.bit_packed):
            found = "any" if width == -1 else str(width)
            raise UserError(
                f"bit_packed {self.bit_packed} needs an input width that is known and a multiple of "
                f"{self.bit_packed}; it is {found}. Change --input_shape."
            )
        if self.pad_input_channels is not None and self.pad_input_channels < channels:
            raise UserError(
                f"pad_input_channels {self.pad_input_channels}: the network already takes {channels} channels. "
                f"Give {channels} or more."
            )
        if self.normalise_in_graph and takes_prior:
            raise UserError(
                f"normalise_in_graph takes uint8 levels, but channel {image_channels + 1} of this network is the "
                "previous frame's probability, which has no levels. Leave normalise_in_graph out."
            )
        if self.flatten_output and not self.upsample_in_graph and -1 in (height, width):
            raise UserError(
                "flatten_output with upsample_in_graph off needs a fixed input size, or nobody could tell the output's "
                "height from its width. Give --input_shape."
            )


def settle_options(section: Mapping[str, Any], flags: Mapping[str, Any]) -> ExportOptions:
    """Return what the flags ask for, and where they say nothing, the config's ``export`` section.

    Args:
        section: the section's keys as they stand in the config.
        flags: by their names; None or False where a flag was not given.

    Raises:
        UserError: flags contradict each other or the config.
    """
    packed = flags.get("bit_packed") or section.get("bit_packed") or None
    upsample, rewrites = flags.get("upsample_in_graph"), flags.get("rewrites")
    return ExportOptions(
        output_op=settle_output_op(
            flags.get("output_op"),
            flags.get("with_softmax") or False,
            flags.get("without_argmax") or False,
            section.get("output_op"),
            flags.get("person_only") or section.get("person_only", False),
        ),
        bit_packed=PACKINGS[0] if packed is True else packed,
        flatten_output=flags.get("flatten_output") or section.get("flatten_output", False),
        pad_input_channels=flags.get("pad_input_channels") or section.get("pad_input_channels"),
        upsample_in_graph=section.get("upsample_in_graph", True) if upsample is None else upsample == "on",
        normalise_in_graph=flags.get("normalise_in_graph") or section.get("normalise_in_graph", False),
        rewrites=section.get("rewrites", True) if rewrites is None else rewrites == "on",
    )


def fitting_classes(options: ExportOptions, classes: int | None) -> ExportOptions:
    """Return the options for whoever wants probabilities of a network, whichever kind it has.

    Args:
        options: with ``output_op`` ``"softmax"``.
        classes: of the network; None: not known. The probability of a single logit is that of a sigmoid.
    """
    if classes != 1 or options.output_op != "softmax":
        return options
    logger.info("the network has one logit: the output is the person's probability (sigmoid), of one channel")
    return replace(options, output_op="sigmoid")
