"""One conversion from beginning to end: read, match, load, compare with the original, restore statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paddle
from paddle import nn

from paddle_portrait.config import Config, load_config
from paddle_portrait.convert.batch_norm import lacks_statistics, restore_statistics
from paddle_portrait.convert.calibration import calibration_batches
from paddle_portrait.convert.golden import GoldenResult, check_golden, network_input
from paddle_portrait.convert.recipes import Recipe
from paddle_portrait.convert.source import SourceModel, read_source
from paddle_portrait.errors import UserError
from paddle_portrait.models.weights import LoadReport, load_arrays
from paddle_portrait.preprocess import Preprocess
from paddle_portrait.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
_DEFAULT_SIZE = (256, 256)


@dataclass(frozen=True)
class Conversion:
    """What a conversion gave.

    Attributes:
        recipe: what was converted.
        config: of the network.
        preprocess: of the network's input.
        network: with the weights, in evaluation mode.
        report: which values of the network came from the files.
        golden: how far it is from the original's answer; None where there is none to compare with.
        restored: number of batch norms whose statistics were measured anew.
        sources: the files read.
    """

    recipe: Recipe
    config: Config
    preprocess: Preprocess
    network: nn.Layer
    report: LoadReport
    golden: GoldenResult | None
    restored: int
    sources: tuple[Path, ...]

    def summary(self) -> str:
        """Return a few lines for a person."""
        lines = [f"{self.recipe.name}: {self.report.summary()}"]
        lines.append(f"  {self.golden}" if self.golden else "  no answer of the original to compare with")
        if self.restored:
            lines.append(f"  {self.restored} batch norms: statistics restored, evaluation unchanged")
        return "\n".join(lines)


def convert(recipe: Recipe, checkpoints: str | Path, calibration: str | Path | None = None) -> Conversion:
    """Convert the checkpoint of ``recipe``.

    Args:
        recipe: what to convert; its files may be absolute paths.
        checkpoints: folder of the files, and of ``golden``, which may be missing.
        calibration: photos to restore statistics on, see :func:`calibration_batches`.

    Raises:
        UserError: a file is missing or damaged, does not match the network, or the network answers otherwise than
            the original.
    """
    config = load_config(ROOT / recipe.config)
    paddle.seed(0)  # values that no file gives (heads for training) are the same in every conversion
    network = MODELS.build_node({key: value for key, value in config["model"].items() if key != "pretrained"})
    network.eval()
    preprocess = Preprocess.from_transforms(config.inference_transforms())
    paths = tuple(Path(checkpoints) / source for source in recipe.sources)
    blank = np.zeros((*(preprocess.input_size_hw or _DEFAULT_SIZE), 3), np.uint8)
    sources = [read_source(path) for path in paths]
    state = recipe.match(network, sources, network_input(network, preprocess, [blank]))
    report = load_arrays(network, state, ", ".join(map(str, paths)))
    golden = _compare(recipe, network, preprocess, checkpoints)
    restored = 0
    if _has_folded_norms(network, state, sources):
        restored = restore_statistics(network, calibration_batches(network, preprocess, calibration))
        golden = _compare(recipe, network, preprocess, checkpoints)
    return Conversion(recipe, config, preprocess, network, report, golden, restored, paths)


def _has_folded_norms(network: nn.Layer, state: Mapping[str, np.ndarray], sources: Sequence[SourceModel]) -> bool:
    """Say whether a batch norm that lacks statistics was filled although the files do not hold it."""
    norms = ((name, layer) for name, layer in network.named_sublayers() if isinstance(layer, nn.BatchNorm2D))
    filled = [layer for name, layer in norms if f"{name}._mean" in state]
    kept = sum(layer.kind == "batch_norm" for source in sources for layer in source.layers)
    return len(filled) > kept and any(lacks_statistics(layer) for layer in filled)


def _compare(recipe: Recipe, network: nn.Layer, preprocess: Preprocess, checkpoints: str | Path) -> GoldenResult | None:
    if recipe.golden is None or not (Path(checkpoints) / "golden" / recipe.golden.file).is_file():
        return None
    result = check_golden(network, preprocess, recipe.golden, checkpoints)
    if not result.passed:
        raise UserError(
            f"{recipe.name}: the converted network does not answer as the original: {result}. Check the "
            f"preprocessing and the options of the network in {recipe.config}."
        )
    return result
