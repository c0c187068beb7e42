"""``docs/models.json`` and ``docs/models.md``: every network, counted here, with what was measured and published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from paddle_portrait.analysis.network import analyse
from paddle_portrait.config import load_config
from paddle_portrait.console import track
from paddle_portrait.engine.trained import build_network, input_channels
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess import Preprocess
from paddle_portrait.zoo.released import released

ROOT = Path(__file__).resolve().parents[2]
LIST = ROOT / "docs" / "models.yml"
ACCURACY = "benchmarks/results/zoo_accuracy.json"
SPLITS = {"eg1800_test": "eg1800/test", "picsart_val": "picsart/val"}
MEASURES = ("miou", "person_iou", "boundary_iou")

_KEYS = {"name", "network", "config", "authors_params", "published", "measured_in"}
_COMMAND = "python tools/analyze_model.py --all"
_ABOUT = f"""\
# Networks

Made by `{_COMMAND}` from [models.yml](models.yml); all of it, and more, is in [models.json](models.json).

- **params**: values that remain when batch norms are folded into convolutions and what only training needs is gone.
  With norms as they are (a scale and a shift for every channel) it is `params_unfolded` in the JSON; the whole network
  in training is `params_trainable`; with the statistics of norms, `values_stored`.
- **MMACs**: millions of multiply-adds of convolutions and matrix products, one image.
- **peak**: memory of results that one forward pass needs at once, float32, no operators fused.
- **here**: what the zoo has. Only the names of these rows are zoo names, for `--model` (exports) and `--model_path`
  (weights).
- **mIoU, BIoU**: measured here on the released weights or our own training: mean IoU of background and person over all
  pixels, and boundary IoU of the person. The JSON names the file that holds the measurement.
- **authors say**: their own figures, on their own data and phones; they compare with nothing else in this table.
"""


def read_list(path: Path = LIST) -> list[dict[str, Any]]:
    """Return the entries of the list of networks.

    Raises:
        UserError: an entry lacks its name, network or config, has an unknown key, or a name stands twice.
    """
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    names = [entry.get("name") for entry in entries]
    for entry in entries:
        missing = {"name", "network", "config"} - set(entry)
        unknown = set(entry) - _KEYS
        if missing or unknown or names.count(entry["name"]) > 1:
            raise UserError(
                f"{path}: entry '{entry.get('name')}': missing {sorted(missing) or 'nothing'}, unknown "
                f"{sorted(unknown) or 'nothing'}, {names.count(entry.get('name'))} times in the list."
            )
    return list(entries)


def count(config_path: str) -> dict[str, Any]:
    """Return the computed columns of a config's network: ``input_hw``, ``in_channels`` and its sums."""
    config = load_config(ROOT / config_path)
    preprocess = Preprocess.from_transforms(config.inference_transforms())
    if preprocess.input_size_hw is None:
        raise UserError(f"{config_path}: its transforms end in no fixed size, so there is nothing to count at.")
    height, width = preprocess.input_size_hw
    channels = input_channels(config, preprocess)
    analysis = analyse(build_network(config), (1, channels, height, width))
    return {"input_hw": [height, width], "in_channels": channels, **analysis.sums(), "warnings": analysis.warnings}


def measured(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what was measured of an entry's network, with the file that holds it; None where nothing was."""
    file = entry.get("measured_in", ACCURACY)
    path = ROOT / file
    if not path.is_file():
        return None
    figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
    if "judged" in figures:  # a single training, judged on several lists
        by_list = {report["about"]["data"].partition(":")[0]: report for report in figures["judged"]}
        found = {split: by_list.get(f"{title}.txt", {}) for split, title in SPLITS.items()}
    else:
        found = {split: figures.get(entry["name"], {}).get(split, {}) for split in SPLITS}
    kept = {
        split: {measure: round(float(values[measure]), 4) for measure in MEASURES if measure in values}
        for split, values in found.items()
    }
    return {"file": file, **kept} if any(kept.values()) else None


def row(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return one entry of ``models.json``."""
    given = {key: entry.get(key) for key in ("authors_params", "published")}
    return {
        **{key: entry[key] for key in ("name", "network", "config")},
        **count(entry["config"]),
        "measured": measured(entry),
        **given,
    }


def write_catalogue(folder: Path) -> list[Path]:
    """Count every network of the list and write ``models.json`` and ``models.md`` into ``folder``."""
    rows = [row(entry) for entry in track(read_list(), "counting")]
    data, page = folder / "models.json", folder / "models.md"
    data.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page.write_text(as_page(rows), encoding="utf-8")
    return [data, page]


def as_page(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return ``models.md``."""
    head = ["network", "input (w x h)", "params", "MMACs", "peak MB", "here"]
    head += [f"{measure} {split}" for split in SPLITS.values() for measure in ("mIoU", "BIoU")]
    head += ["authors say: accuracy", "authors say: phone"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(_cells(entry))} |" for entry in rows]
    return _ABOUT + "\n" + "\n".join(lines) + "\n"


def _cells(entry: Mapping[str, Any]) -> list[str]:
    height, width = entry["input_hw"]
    published, results = entry["published"] or {}, entry["measured"] or {}
    cells = [f"[{entry['network']}](../{entry['config']}) `{entry['name']}`", f"{width}x{height}"]
    cells += [f"{entry['params']:,}", f"{entry['macs'] / 1e6:,.1f}", f"{entry['peak_bytes'] / 1e6:.1f}"]
    cells.append(_what_is_here(entry["name"]))
    for split in SPLITS:
        values = results.get(split, {})
        cells += [_figure(values.get(measure)) for measure in ("miou", "boundary_iou")]
    return [*cells, published.get("accuracy", ""), published.get("phone", "")]


def _what_is_here(name: str) -> str:
    """Say what the zoo has of a network: nothing for names that are rows of the table alone."""
    if name not in released():
        return ""
    return "weights, export" if released()[name].export else "weights"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}".lstrip("0")
