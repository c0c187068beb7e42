"""A quantised target joins an exported directory: whole, or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from paddle_portrait.export.errors import ParityError
from paddle_portrait.export.masks import MaskAgreement
from paddle_portrait.export.parity import PARITY_FILE, TargetParity, describe_fault
from paddle_portrait.export.quantisation.judging import Judgement
from paddle_portrait.export.targets import limit_of, load_target
from paddle_portrait.inference import Predictor
from paddle_portrait.inference.deploy_file import DEPLOY_FILE, DeployFile, TargetFiles

_PORTRAITS = 4
_PORTRAIT_HW = (256, 192)
_REMEDIES = {
    "onnx_fp16": " tools/export.py --format onnx_fp16 makes one that keeps the weights which cannot bear it in float32."
}


def compare(
    expected: Callable[[np.ndarray], np.ndarray],
    quantised: Predictor,
    name: str,
    directory: Path,
    photos: Judgement | None = None,
) -> TargetParity:
    """Return the entry of ``parity.json``: the quantised graph against what it was made from.

    Differences are those on generated portraits; the IoU of the masks is that of these and of the photos together,
    where they have both classes; of other portraits the difference counts (:class:`MaskAgreement`).
    There is no noise among the pictures, as there is for other targets: what rounding makes of a mask of noise says
    nothing about people.

    Args:
        expected: from the graph's input to the person's probability, N×h×w: the float graph's, or that of the network
            trained for int8.
        quantised: what is proved.
        name: of the target.
        directory: where its files are.
        photos: its judgement on the validation photos; None: they are not taken.
    """
    from paddle_portrait.data.synthesis import render_portrait

    differences = []
    overlap, union = (0, 0) if photos is None else photos.overlap
    masks = MaskAgreement(overlap, union, proved=union > 0)
    for seed in range(_PORTRAITS):
        tensor, _ = quantised.prepare(render_portrait(seed, _PORTRAIT_HW)[0])
        wanted, found = expected(tensor), quantised.person_at_network_size(tensor)
        differences.append(np.abs(wanted.astype(np.float64) - found).ravel())
        worst = float(np.nan_to_num(differences[-1], nan=1.0).max())
        masks.add(wanted, found, worst, soft=quantised.output_op != "argmax")
    everything = np.concatenate(differences)
    finite = bool(np.isfinite(everything).all())
    limit, files = limit_of(name), TargetFiles(f"{name}/model.onnx")
    worst = float(np.nan_to_num(everything, nan=1.0).max())
    return TargetParity(
        ran=True,
        passed=finite and limit.is_kept(worst, masks),
        limit=limit.value,
        limited=limit.measure,
        max_abs_diff=worst,
        mean_abs_diff=float(everything.mean()),
        mask_iou=masks.iou,
        finite=finite,
        bytes=(directory / files.model).stat().st_size,
        operators=dict(sorted(load_target(name).count_operators(directory, files).items())),
        runtime=quantised.runtime,
        one_class_diff=masks.one_class_diff,
        photos=0 if photos is None else len(photos.confusions),
    )


def place(
    folder: Path, files: TargetFiles, parity: TargetParity, model_dir: Path, save_dir: Path, scratch: Path
) -> None:
    """Add a target's folder, with its entries in ``deploy.yaml`` and ``parity.json``.

    Args:
        folder: the target's files; its name is that of the target.
        files: which they are, relative to the folder.
        parity: the entry of ``parity.json``.
        model_dir: the exported directory.
        save_dir: the same, or another that becomes a copy of it.
        scratch: a directory on the same disk as ``save_dir``.

    Raises:
        ParityError: the target departs too far from the float one.
    """
    name = folder.name
    if not parity.passed:
        raise ParityError(
            f"{name} departs too far from what it was made from: {describe_fault(parity)}; the largest difference in "
            f"probability is {parity.max_abs_diff:.3g}. Nothing is kept.{_REMEDIES.get(name, '')}"
        )
    finished = scratch / "finished"
    if save_dir.resolve() != model_dir.resolve():
        shutil.copytree(model_dir, finished)
    else:
        finished.mkdir()
    shutil.rmtree(finished / name, ignore_errors=True)
    shutil.copytree(folder, finished / name)
    _write_entries(finished, files.below(name), name, parity, model_dir)
    save_dir.mkdir(parents=True, exist_ok=True)
    for entry in sorted(finished.iterdir(), key=lambda path: path.name == DEPLOY_FILE):
        if (save_dir / entry.name).is_dir():
            shutil.rmtree(save_dir / entry.name)
        os.replace(entry, save_dir / entry.name)


def _write_entries(directory: Path, files: TargetFiles, name: str, parity: TargetParity, model_dir: Path) -> None:
    deploy = DeployFile.read(model_dir)
    files.record_sums(directory)
    deploy.targets[name] = files
    deploy.write(directory)
    source = model_dir / PARITY_FILE
    content = json.loads(source.read_text(encoding="utf-8")) if source.is_file() else {"targets": {}}
    content["targets"][name] = asdict(parity)
    (directory / PARITY_FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
