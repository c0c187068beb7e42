"""``tools/pseudo_label.py``: label photos by the agreement of several exported models."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddle_portrait.console import run_command
from paddle_portrait.errors import UserError

if TYPE_CHECKING:
    from paddle_portrait.inference import Predictor


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Label photos that have no masks: where several models agree, their mean becomes a soft mask. "
        "Writes masks, a list for training, a report and a contact sheet; run again, it goes on where it was."
    )
    add = parser.add_argument
    add("--images", required=True, help="a folder (searched to its depth), a glob, a .txt list, or a photo")
    add("--teachers", required=True, nargs="+", metavar="DIR|NAME", help="two or more exports or zoo names")
    add("--save_dir", default="output/pseudo_labels", help="folder of the results (default: output/pseudo_labels)")
    add("--agreement", type=float, default=0.9, help="least IoU of any two models' masks (default: 0.9)")
    add("--person_share", type=float, nargs=2, default=(0.02, 0.95), metavar=("LEAST", "MOST"),
        help="share of the photo that the person may cover (default: 0.02 0.95)")  # fmt: skip
    add("--flip", action="store_true", help="ask each model about the mirrored photo, too, and take the mean")
    add("--backend", default="auto", help="runtime of the models: auto, onnx, paddle, ... (default: auto)")
    add("--threads", type=int, help="threads of each model's runtime (default: the runtime's)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line: 0 when every photo was judged, kept or not, 1 when one could not be."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _label(arguments))


def _label(arguments: argparse.Namespace) -> int:
    from paddle_portrait.inference.agreement import Limits, mirrored
    from paddle_portrait.inference.inputs import find_images
    from paddle_portrait.inference.pseudo_labels import LIST_FILE, PseudoLabeller

    limits = Limits(arguments.agreement, *arguments.person_share)
    save_dir = Path(arguments.save_dir)
    images = find_images(arguments.images, save_dir)
    predictors, facts = _load(arguments)
    teachers = {name: mirrored(model) if arguments.flip else model for name, model in predictors.items()}
    labeller = PseudoLabeller(teachers, limits, save_dir, {**facts, "flip": arguments.flip})
    verdicts = labeller.label(images)
    kept = sum(verdict.kept for verdict in verdicts)
    print(f"{kept} of {len(images)} photos labelled, {len(verdicts) - kept} rejected; list: {save_dir / LIST_FILE}")
    print(*(f"failed: {reason}\n" for reason in labeller.failed.values()), sep="", end="", file=sys.stderr)
    return 1 if labeller.failed else 0


def _load(arguments: argparse.Namespace) -> tuple[dict[str, Predictor], dict[str, Any]]:
    """Return the models by the names that the user gave, and what identifies their files.

    Raises:
        UserError: one was named twice, or two names mean the same files.
    """
    from paddle_portrait.console import logger
    from paddle_portrait.inference import Predictor
    from paddle_portrait.inference.pseudo_labels import directory_sum

    predictors: dict[str, Predictor] = {}
    sums: dict[str, str] = {}
    for name in arguments.teachers:
        predictor = Predictor.load(name, arguments.backend, arguments.threads)
        digest = directory_sum(predictor.directory)
        if digest in sums.values():
            raise UserError(f"teacher '{name}' is there twice, and agrees with itself in everything: name others.")
        if predictor.output_op == "argmax":
            logger.warning("%s answers with class numbers: its share of the soft masks has hard edges", name)
        predictors[name], sums[name] = predictor, digest
    backends = {name: predictor.backend_name for name, predictor in predictors.items()}
    return predictors, {"sums": sums, "backends": backends}


if __name__ == "__main__":
    sys.exit(main())
