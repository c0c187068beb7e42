"""A network with a prior, from a YAML over training and evaluation to a video; and batches of many aspects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddle_portrait.cli import export, predict, train, val
from paddle_portrait.config import ConfigError, load_config
from paddle_portrait.engine.build import RunOptions, build_trainer
from paddle_portrait.inference import Predictor
from paddle_portrait.preprocess import read_image

PRIOR = """\
batch_size: 4
iters: 3
save_interval: 3
model: {{type: PPHumanSegLite, in_channels: 4}}
train_dataset:
  type: Dataset
  mode: train
  dataset_root: {root}
  train_path: {root}/train.txt
  transforms:
    - {{type: Resize, target_size: [32, 32]}}
    - {{type: SimulatePrior, degree: [2, 6]}}
    - {{type: RandomHorizontalFlip}}
    - {{type: Normalize}}
val_dataset:
  type: Dataset
  mode: val
  dataset_root: {root}
  val_path: {root}/val.txt
  img_channels: 4
  transforms: [{{type: Resize, target_size: [32, 32]}}, {{type: Normalize}}]
optimizer: {{type: AdamW}}
lr_scheduler: {{type: CosineAnnealingDecay, learning_rate: 0.003}}
loss: {{types: [{{type: CrossEntropyLoss}}], coef: [1]}}
"""


@pytest.fixture
def prior_config(drawn_people: Any, tmp_path: Path) -> Path:
    path = tmp_path / "prior.yml"
    path.write_text(PRIOR.format(root=drawn_people))
    return path


def test_a_network_with_a_prior_from_training_to_video(prior_config: Path, drawn_people: Any, tmp_path: Path) -> None:
    run, exported = tmp_path / "run", tmp_path / "export"
    assert train.main(["--config", str(prior_config), "--save_dir", str(run), "--do_eval", "--device", "cpu"]) == 0
    weights = str(run / "best_model" / "model.pdparams")
    both = ["--config", str(prior_config), "--model_path", weights]
    assert val.main([*both, "--device", "cpu"]) == 0
    picture = str(drawn_people / "0.jpg")
    assert predict.main([*both, "--image_path", picture, "--save_dir", str(tmp_path / "out"), "--device", "cpu"]) == 0
    assert export.main([*both, "--save_dir", str(exported), "--output_op", "softmax"]) == 0

    predictor, frame = Predictor.load(exported), read_image(picture)
    assert predictor.takes_prior
    stream = predictor.stream()
    first, second = stream(frame), stream(frame)
    assert np.array_equal(first, predictor(frame))  # the first frame has an empty prior
    assert np.allclose(second, predictor(frame, first)) and not np.array_equal(first, second)


def test_the_trainer_gives_the_prior_to_the_network(prior_config: Path, tmp_path: Path) -> None:
    trainer = build_trainer(load_config(str(prior_config)), RunOptions(save_dir=tmp_path))
    images = trainer.loader.batch(0).images
    assert images.shape == (4, 4, 32, 32) and images[:, 3].min() >= 0 and images[:, 3].max() <= 1
    assert any(trainer.loader.batch(k).images[:, 3].any() for k in range(4))


def test_a_validation_set_without_the_channel_is_a_mistake_of_the_config(prior_config: Path) -> None:
    prior_config.write_text(prior_config.read_text().replace("  img_channels: 4\n", ""))
    with pytest.raises(
        ConfigError, match=r"val_dataset: the network takes 4 channels \(.*prior.yml:4\).*img_channels: 4"
    ):
        load_config(str(prior_config))


def test_batches_of_many_aspects_from_the_yaml(config_file: Any, tmp_path: Path) -> None:
    path = config_file("", iters=3)
    options = ["train_dataset.batch_sizes_wh=[[32, 48], [48, 32], [32, 32]]"]
    trainer = build_trainer(load_config(str(path), options), RunOptions(save_dir=tmp_path))
    sizes = {trainer.loader.batch(k).images.shape[2:] for k in range(20)}
    assert sizes == {(48, 32), (32, 48), (32, 32)}
    with pytest.raises(ConfigError, match="batch_sizes_wh"):
        load_config(str(path), ["train_dataset.batch_sizes_wh=[[32, 48], [48]]"])
