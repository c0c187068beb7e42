"""``Config``: access, sources, what a command needs, and the printed form."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from paddle_portrait.config import ConfigError, load_config
from paddle_portrait.errors import UserError

Write = Callable[..., str]


def test_access(complete: str) -> None:
    config = load_config(complete)
    assert config.path == "config.yml"
    assert config["model"] == {"type": "PPHumanSegLite", "num_classes": 2, "pretrained": None}
    assert config["train_dataset.transforms[1].prob"] == 0.3
    assert "model.type" in config and "ema" not in config
    assert config.get("ema") is None and config.get("ema.decay", 0.5) == 0.5
    assert config.get("model.pretrained", "zoo") == "zoo", "null is as good as missing"
    with pytest.raises(UserError, match=r"config\.yml: has no 'val_dataset'"):
        config["val_dataset"]


def test_what_is_given_out_is_a_copy(complete: str) -> None:
    config = load_config(complete)
    config["model"]["type"] = "X"
    config.to_dict()["loss"]["coef"].append(2)
    assert config["model.type"] == "PPHumanSegLite" and config["loss.coef"] == [1]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("batch_size", 1),
        ("model", 3),
        ("model.type", 4),
        ("train_dataset.transforms", 13),
        ("train_dataset.transforms[1].prob", 17),
        ("train_dataset.transforms.1.prob", 17),
        ("train_dataset.transforms[1].blur_type", 16),  # not given: where the transform is
    ],
)
def test_where(complete: str, path: str, line: int) -> None:
    assert load_config(complete).where(path) == f"config.yml:{line}"


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (
            "train",
            [
                "'batch_size' is missing, which train needs",
                "'iters' or 'epochs' or 'stages' is missing",
                "'optimizer'",
                "'lr_scheduler'",
                "'loss' or 'objective'",
                "'train_dataset'",
            ],
        ),
        ("val", ["'val_dataset' or 'test_dataset' is missing, which val needs"]),
        ("predict", ["'export.transforms' or 'val_dataset' or 'test_dataset' is missing, which predict needs"]),
        ("export", ["'export.transforms' or 'val_dataset' or 'test_dataset' is missing, which export needs"]),
    ],
)
def test_a_command_misses_its_own_sections_only(write: Write, command: str, missing: list[str]) -> None:
    config = load_config(write("model: {type: PPHumanSegLite}"))
    with pytest.raises(ConfigError) as raised:
        config.require(command)  # type: ignore[arg-type]
    assert len(raised.value.problems) == len(missing)
    assert all(text in str(raised.value) for text in missing)


def test_prediction_needs_no_optimizer(write: Write) -> None:
    config = load_config(write("model: {type: PPHumanSegLite}\nexport: {transforms: [{type: Normalize}]}"))
    config.require("predict")
    config.require("export")


def test_training_needs_nothing_for_evaluation(complete: str) -> None:
    load_config(complete).require("train")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed: 1\ntrain: {seed: 2}", 1),
        ("train: {seed: 2}", 2),
        ("seed: null\ntrain: {seed: 0}", 0),
        ("iters: 1", 7),
    ],
)
def test_settings_of_paddlesegs_sections(write: Write, text: str, expected: int) -> None:
    assert load_config(write(text)).setting("seed", 7) == expected


def test_evaluation_options(write: Write) -> None:
    paddleseg = "test: {aug_eval: True, scales: 1.0, flip_horizontal: False, crop_size: null, auc_roc: False}\n"
    assert load_config(write(paddleseg + "test_config: {scales: [0.5, 1]}")).evaluation_options() == {
        "aug_eval": True,
        "scales": [0.5, 1],
        "flip_horizontal": False,
    }
    assert load_config(write("seed: 1")).evaluation_options() == {}


def test_final_splits(write: Write) -> None:
    config = load_config(write("test_dataset: {type: Dataset, final: yes}\nval_dataset: {type: Dataset}"))
    assert config.is_final("test_dataset") and not config.is_final("val_dataset")
    assert config.component("test_dataset") == {"type": "Dataset"}


def test_inference_transforms(write: Write) -> None:
    val = "val_dataset: {type: Dataset, transforms: [{type: Normalize}]}\n"
    assert load_config(write(val)).inference_transforms() == [{"type": "Normalize"}]
    export = "export: {transforms: [{type: LimitLong, max_long: 64}]}\n"
    assert load_config(write(val + export)).inference_transforms()[0]["type"] == "LimitLong"
    with pytest.raises(UserError, match=r"Give export\.transforms or a val_dataset"):
        load_config(write("seed: 1")).inference_transforms()


def test_the_printed_config_shows_sources_and_loads_back(write: Write) -> None:
    write("seed: 1\nlr_scheduler:\n  type: PolynomialDecay\n  learning_rate: 1e-3\n", "base.yml")
    path = write(
        """\
        _base_: base.yml
        iters: 10
        model: {type: PPHumanSegLite, pretrained: "null"}
        ema: {}
        stages: []
        train_dataset:
          type: ConcatDataset
          datasets:
            - type: Dataset
              dataset_root: "1e-3 # no comment"
              transforms: [{type: Resize, target_size: [64, 64]}, {type: Normalize}]
            - type: Dataset
        """
    )
    config = load_config(path, ["seed=2"], {"iters": 20})
    printed = config.dump_with_sources()
    assert "  learning_rate: 0.001  # base.yml:4\n" in printed
    assert "seed: 2  # --opts seed=2\n" in printed
    assert "iters: 20  # --iters\n" in printed
    assert "          target_size: [64, 64]  # config.yml:11\n" in printed
    assert load_config(write(printed, "printed.yml")).to_dict() == config.to_dict()
