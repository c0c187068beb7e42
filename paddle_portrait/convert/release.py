"""The folder of a converted checkpoint: weights, licence, notice and model card."""

from __future__ import annotations

from pathlib import Path

from paddle_portrait.console import logger
from paddle_portrait.convert.conversion import Conversion
from paddle_portrait.convert.recipes import Origin
from paddle_portrait.models.weights import save_weights
from paddle_portrait.zoo.download import sha256_of

WEIGHTS, CARD = "model.pdparams", "MODEL_CARD.md"
# Bytes. A file may have 5 MB, but all released files together 40 MB, so what is not yet too large is compressed, too;
# smaller ones stay readable by Paddle itself.
COMPRESSED_FROM = 3_500_000
# What stands from this heading on was added after the conversion (figures, looks at final splits) and is kept.
FIGURES = "## Figures"
_LICENCES = Path(__file__).parent / "licences"


def write_release(conversion: Conversion, directory: str | Path) -> Path:
    """Write ``model.pdparams``, ``LICENSE``, ``NOTICE`` and ``MODEL_CARD.md``; return the weight file.

    The same files give the same bytes. Without a known origin there is no licence to write, and the card says so.

    Args:
        conversion: what :func:`paddle_portrait.convert.conversion.convert` gave.
        directory: made where it is missing; a model card there keeps what its section of figures says.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    weights = directory / WEIGHTS
    # Arrays, not tensors: those would be saved with names that count up within a process.
    state = {name: value.numpy() for name, value in conversion.network.state_dict().items()}
    save_weights(state, weights, COMPRESSED_FROM)
    origin = conversion.recipe.origin
    if origin is not None:
        licence = (_LICENCES / f"{origin.licence}.txt").read_text(encoding="utf-8")
        (directory / "LICENSE").write_text(licence.replace("{copyright}", origin.copyright), encoding="utf-8")
        (directory / "NOTICE").write_text(_notice(conversion, origin), encoding="utf-8")
    card = directory / CARD
    kept = _figures(card) or f"{FIGURES}\n\nNot measured yet.\n"
    card.write_text(_card(conversion, weights) + "\n" + kept, encoding="utf-8")
    logger.info("%s written", directory)
    return weights


def _notice(conversion: Conversion, origin: Origin) -> str:
    files = ", ".join(path.name for path in conversion.sources)
    changed = "the layout of the values was changed to that of PaddlePaddle"
    if conversion.restored:
        changed += ", and statistics of batch norms, which the file had folded away, were measured anew"
    return (
        f"These weights were converted from {files} of {origin.title} ({origin.url}).\n"
        f"{origin.copyright}\nLicensed under the {origin.licence} licence, see LICENSE.\n"
        f"Changes: {changed}.\n"
    )


def _figures(card: Path) -> str | None:
    """Return a card's section of figures and all that follows."""
    if not card.is_file():
        return None
    _, heading, rest = card.read_text(encoding="utf-8").partition(FIGURES)
    return heading + rest if heading else None


def _card(conversion: Conversion, weights: Path) -> str:
    recipe, report = conversion.recipe, conversion.report
    lines = [f"# {recipe.name}", "", *([recipe.note, ""] if recipe.note else []), "| | |", "|---|---|"]
    if recipe.origin is None:
        lines.append("| source | not recorded: the licence of the converted file holds for these weights, too |")
    else:
        lines.append(f"| source | [{recipe.origin.title}]({recipe.origin.url}) |")
        lines.append(f"| licence | {recipe.origin.licence}, {recipe.origin.copyright} |")
    lines += [f"| converted from | `{path.name}`, sha256 `{sha256_of(path)}` |" for path in conversion.sources]
    lines += [
        f"| weights | `{WEIGHTS}`, sha256 `{sha256_of(weights)}` |",
        f"| config | `{recipe.config}` |",
        f"| input | {_describe_input(conversion)} |",
        f"| values from the file | {len(report.matched)} of {len(report.matched) + len(report.missing)} keys |",
        f"| against the original | {conversion.golden or 'no answer of the original to compare with'} |",
    ]
    if conversion.restored:
        lines.append(f"| batch norms | {conversion.restored}, folded in the file; statistics restored for training |")
    return "\n".join(lines) + "\n"


def _describe_input(conversion: Conversion) -> str:
    description = conversion.preprocess.to_dict()
    size = description["input_size_hw"]
    shape = "any size" if size is None else f"{size[1]}x{size[0]} (width x height)"
    scale = f"value × {description['scale']:.6g}"
    mean, std = (", ".join(f"{value:.6g}" for value in description[key]) for key in ("mean", "std"))
    return f"{shape}, {description['colour'].upper()}, ({scale} − [{mean}]) / [{std}]"
