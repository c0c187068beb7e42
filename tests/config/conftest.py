"""Writes small config trees for the tests of the config room."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

COMPLETE = """\
batch_size: 8
iters: 100
model:
  type: PPHumanSegLite
  num_classes: 2
  pretrained: null
train_dataset:
  type: Dataset
  mode: train
  dataset_root: data/nowhere
  train_path: data/nowhere/train.txt
  num_classes: 2
  transforms:
    - type: Resize
      target_size: [192, 192]
    - type: RandomBlur
      prob: 0.3
    - type: Normalize
optimizer:
  type: sgd
  momentum: 0.9
  weight_decay: 5.0e-4
lr_scheduler:
  type: PolynomialDecay
  learning_rate: 0.01
  power: 0.9
loss:
  types:
    - type: CrossEntropyLoss
  coef: [1]
"""

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return ``write(text, name="config.yml")``, which gives the path relative to the working directory."""
    monkeypatch.chdir(tmp_path)

    def write_file(text: str | bytes, name: str = "config.yml") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text if isinstance(text, bytes) else textwrap.dedent(text).encode()
        path.write_bytes(data)
        return name

    return write_file


@pytest.fixture
def complete(write: Write) -> str:
    """A config with all that training needs."""
    return write(COMPLETE)
