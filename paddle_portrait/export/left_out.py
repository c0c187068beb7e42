"""Variants that a target tries, and does without where a network does not bear them."""

from __future__ import annotations

from pathlib import Path

from paddle_portrait.console import logger
from paddle_portrait.export.parity import TargetParity, describe_fault
from paddle_portrait.export.targets import load_target
from paddle_portrait.inference.deploy_file import DeployFile


def leave_out_wrong_variants(
    name: str, directory: Path, deploy: DeployFile, results: dict[str, TargetParity]
) -> dict[str, TargetParity]:
    """Remove the variants of target ``name`` that are over their limit, where the target says that it can do without.

    Args:
        name: the target.
        directory: of the export; files of those variants are removed from it, and ``deploy.yaml`` no longer names them.
        deploy: its ``deploy.yaml``.
        results: what was measured of the target and its variants.

    Returns:
        The results of what is left.
    """
    files, kept = deploy.targets[name], dict(results)
    for proof, variants in getattr(load_target(name), "LEFT_OUT_TOGETHER", {}).items():
        entry = results.get(f"{name}/{proof}")
        if entry is None or entry.passed is not False:
            continue
        logger.warning("%s: left out, with its like for other processors: %s", f"{name}/{proof}", describe_fault(entry))
        for variant in variants:
            file = files.variants.pop(variant)
            files.sha256.pop(file, None)
            (directory / file).unlink()
            del kept[f"{name}/{variant}"]
    if len(kept) != len(results):
        deploy.write(directory)
    return kept
