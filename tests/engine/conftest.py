"""A data set of drawn people, small enough to train on in a second."""

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="session")
def drawn_people(tmp_path_factory):
    """Write 14 photos of 48×40 with masks, and lists of 10 for training and 4 for validation; return the folder."""
    root = tmp_path_factory.mktemp("drawn")
    rng = np.random.default_rng(0)
    lines = []
    for index in range(14):
        mask = np.zeros((48, 40), np.uint8)
        centre = (int(rng.integers(14, 26)), int(rng.integers(14, 22)))
        cv2.circle(mask, centre, 9, 255, -1)
        cv2.ellipse(mask, (centre[0], 48), (15, 20), 0, 0, 360, 255, -1)
        colours = rng.integers(0, 255, (2, 3))
        image = np.where(mask[..., None] > 0, colours[0], colours[1]) + rng.integers(-20, 20, (48, 40, 3))
        cv2.imwrite(str(root / f"{index}.jpg"), np.clip(image, 0, 255).astype(np.uint8))
        cv2.imwrite(str(root / f"{index}.png"), mask)
        lines.append(f"{index}.jpg {index}.png\n")
    (root / "train.txt").write_text("".join(lines[:10]))
    (root / "val.txt").write_text("".join(lines[10:]))
    return root


@pytest.fixture
def config_file(drawn_people, tmp_path):
    """Return a function that writes a config for the drawn people, with more YAML at its end, and gives its path."""

    def write(extra="", iters=12, name="config.yml", objective=True):
        text = f"""\
batch_size: 4
iters: {iters}
save_interval: 3
log_iters: 2
keep_checkpoint_max: 9
seed: 3
model: {{type: PPHumanSegLite}}
train_dataset:
  type: Dataset
  mode: train
  dataset_root: {drawn_people}
  train_path: {drawn_people}/train.txt
  transforms:
    - {{type: Resize, target_size: [32, 32]}}
    - {{type: ResizeStepScaling}}
    - {{type: RandomPaddingCrop, crop_size: [32, 32]}}
    - {{type: RandomDistort}}
    - {{type: Normalize}}
val_dataset:
  type: Dataset
  mode: val
  dataset_root: {drawn_people}
  val_path: {drawn_people}/val.txt
  transforms: [{{type: Resize, target_size: [32, 32]}}, {{type: Normalize}}]
optimizer: {{type: AdamW, weight_decay: 0.01, no_decay: [norm, bias]}}
lr_scheduler: {{type: CosineAnnealingDecay, learning_rate: 0.003, warmup_iters: 2}}
"""
        if objective:
            text += "objective: [{type: CrossEntropyLoss}, {type: DiceLoss, weight: 0.5}]\n"
        path = tmp_path / name
        path.write_text(text + extra)
        return path

    return write
