"""Judges one split of a config with one weight file, and leaves the report behind: what ``tools/val.py`` does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from paddle_portrait.config import Config
from paddle_portrait.console import logger
from paddle_portrait.data.datasets.foreign import as_dataset
from paddle_portrait.engine import distributed
from paddle_portrait.engine.evaluator import EvalReport, evaluate, joined
from paddle_portrait.engine.history import read_history
from paddle_portrait.engine.inferring import PredictOptions
from paddle_portrait.engine.trained import load_trained
from paddle_portrait.errors import UserError
from paddle_portrait.models.weights import weights_file
from paddle_portrait.registry import DATASETS
from paddle_portrait.report.gallery import choose_rows, make_exhibits
from paddle_portrait.report.model_card import card_path, check_writable, earlier_looks, file_sha256, record_look
from paddle_portrait.report.page import Surroundings, write_html, write_json

SPLITS = {"val": "val_dataset", "test": "test_dataset"}
JSON_NAME, HTML_NAME = "report.json", "report.html"

_HISTORY_NAME = "history.jsonl"


@dataclass(frozen=True)
class JudgeOptions:
    """What to judge and where to write.

    Attributes:
        model_path: weight file, checkpoint directory or zoo name.
        save_dir: folder of ``report.json`` and ``report.html``.
        split: ``val`` or ``test``; None is ``val``, and with ``final`` the split that is marked final.
        final: the one look at a split that is marked ``final: true``.
        batch_size: images a step.
        num_workers: threads that read images.
        predict: flips, scales, sliding windows.
        sequence: judge flicker, too.
        gallery: worst, and as many median images, to show in the report.
    """

    model_path: str
    save_dir: Path
    split: str | None = None
    final: bool = False
    batch_size: int = 1
    num_workers: int = 0
    predict: PredictOptions = field(default_factory=PredictOptions)
    sequence: bool = False
    gallery: int = 6


def judge_split(config: Config, options: JudgeOptions) -> EvalReport:
    """Evaluate, write the reports and, for a final split, the model card.

    Where the launcher started several processes they share the images; the main one writes.

    Raises:
        UserError: a final split without ``final``, or the other way round; weights that do not fit; data
            that are missing; a folder that cannot be written.
    """
    section = choose_section(config, options.split, options.final)
    path = weights_file(options.model_path)
    is_final = _is_final(config, section)
    card = card_path(path)
    if is_final:
        check_writable(card)
    model = load_trained(config, str(path))
    dataset = as_dataset(DATASETS.build_node(_with_transforms(config, section)))
    data = ", ".join(name for name, _ in _lists(dataset))
    digest = file_sha256(path)
    if is_final and (looks := earlier_looks(card, data, digest)):
        logger.warning("these weights were judged on %s before (%d times): see '%s'", data, len(looks), card)
    report = joined(
        evaluate(
            model,
            dataset,
            options.batch_size,
            options.num_workers,
            options.predict,
            progress=distributed.is_main(),
            rank=distributed.rank(),
            world_size=distributed.world_size(),
            sequence=options.sequence,
        )
    )
    if not distributed.is_main():
        return report
    date = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    if is_final:  # before anybody sees the figures
        record_look(card, date, data, digest, report.summary)
        logger.info("this look at a final split is recorded in '%s'", card)
    history_file = _find_history(path)
    surroundings = Surroundings(
        title=f"{config['model']['type']}, {Path(config.path).stem}",
        data=data,
        date=date,
        about=_about(config, options, path, digest, dataset),
        final_card=str(card) if is_final else None,
        history_file=None if history_file is None else str(history_file),
        history=read_history(history_file),
    )
    write_json(report, surroundings, options.save_dir / JSON_NAME)
    worst, median = choose_rows(report.rows, options.gallery)
    shown_worst = make_exhibits(model, dataset, worst, options.predict)
    shown_median = make_exhibits(model, dataset, median, options.predict)
    write_html(report, surroundings, shown_worst, shown_median, options.save_dir / HTML_NAME)
    return report


def choose_section(config: Config, split: str | None, final: bool) -> str:
    """Return the config's section to judge: ``val_dataset`` or ``test_dataset``.

    Raises:
        UserError: it is missing, or ``final`` does not go with how it is marked.
    """
    marked = [section for section in SPLITS.values() if config.get(section) and _is_final(config, section)]
    if split is not None:
        section = SPLITS[split]
    elif final and marked:
        section = marked[0]
    else:
        section = "val_dataset" if config.get("val_dataset") else "test_dataset"
    if not config.get(section):
        raise UserError(f"{config.path}: has no {section}. Add it, or judge another --split.")
    if section in marked and not final:
        raise UserError(
            f"{config.where(section)}: {section} is a final split: it is looked at once, after all choices are made, "
            "and never to choose. With --final it is judged, and the look is written into the model card beside "
            "the weights. To choose a model use --split val."
        )
    if final and section not in marked:
        raise UserError(
            f"--final: {config.path} marks {', '.join(marked) or 'no split'} as final"
            f"{', not ' + section if split else ''}. Leave --final out, or mark the split by 'final: true'."
        )
    return section


def _is_final(config: Config, section: str) -> bool:
    """Whether a split is final: marked so itself, or reading the same list as one that is."""
    final_files = {path for other in SPLITS.values() if config.is_final(other) for path in _list_paths(config[other])}
    return config.is_final(section) or bool(final_files & set(_list_paths(config[section])))


def _list_paths(node: Any) -> Iterator[Path]:
    """Yield the list file that each data set of a config's section reads."""
    if isinstance(node, dict):
        path = node.get(f"{node.get('mode', 'train')}_path")
        if path is not None:
            yield Path(path).resolve()
        for child in node.get("datasets", []):
            yield from _list_paths(child)


def _with_transforms(config: Config, section: str) -> dict[str, Any]:
    """Return the section's arguments; without transforms of its own it gets those of inference."""
    node = config.component(section)
    members = node.get("datasets", [])
    if not node.get("transforms") and not any(member.get("transforms") for member in members):
        logger.info("%s names no transforms: those of the config's inference are used", section)
        node["transforms"] = config.inference_transforms()
    return node


def _lists(dataset: Any) -> Iterator[tuple[str, int]]:
    """Yield name and number of images of each list that ``dataset`` joins."""
    for member in getattr(dataset, "datasets", [dataset]):
        path = Path(getattr(member, "list_path", getattr(member, "name", type(member).__name__)))
        yield "/".join(path.parts[-2:]), len(member)


def _find_history(weights_file: Path) -> Path | None:
    """Return the record of the training that wrote the weights: beside them, or beside their folder."""
    candidates = [folder / _HISTORY_NAME for folder in list(weights_file.resolve().parents)[:2]]
    return next((path for path in candidates if path.is_file()), None)


def _about(config: Config, options: JudgeOptions, weights_file: Path, digest: str, dataset: Any) -> dict[str, Any]:
    import paddle

    defaults = asdict(PredictOptions())
    changed = {name: value for name, value in asdict(options.predict).items() if value != defaults[name]}
    return {
        "config": config.path,
        "weights": str(weights_file),
        "weights_sha256": digest,
        "data": "; ".join(f"{name}: {count} images" for name, count in _lists(dataset)),
        "network_run": ", ".join(f"{name} {value}" for name, value in changed.items()) or "plain",
        "batch_size": options.batch_size,
        "device": str(paddle.get_device()),
        "paddle": paddle.__version__,
        "command": " ".join(sys.argv),
    }
