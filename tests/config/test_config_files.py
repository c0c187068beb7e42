"""Every shipped YAML is right; files in PaddleSeg's shapes load as they are; ``tools/check_config.py``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from paddle_portrait.cli.check_config import find_configs, main
from paddle_portrait.config import load_config
from paddle_portrait.errors import UserError

Write = Callable[..., str]
ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "configs").rglob("*.yml"))
WITH_PADDLESEG = ("fcn_", "v1_mobile", "v1_server", "v2_")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    if any(part in name for part in WITH_PADDLESEG):
        pytest.importorskip("paddleseg")
    config = load_config(name)
    if "/_base_/" in name:
        return
    for command in ("val", "predict", "export") if "_export_" in name else ("train", "val", "predict", "export"):
        config.require(command)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name in SHIPPED if "/_base_/" not in name])
def test_shipped_headers(name: str) -> None:
    """Each says what it is, the command that runs it, and the figure that it reached."""
    head = (ROOT / name).read_text(encoding="utf-8").split("\n_base_:")[0]
    assert head.startswith("# ") and f"--config {name}" in head
    assert any(words in head for words in ("mIoU", "no figure", "ot trained yet"))


def test_the_names_of_paddlesegs_readme_are_there() -> None:
    names = [
        "fcn_hrnetw18_small_v1_humanseg_192x192_mini_supervisely",
        "pp_humanseg_lite/pp_humanseg_lite_export_398x224",
    ]
    names += [f"human_pp_humanseg{name}" for name in ("v1_lite", "v2_lite", "v1_mobile", "v2_mobile", "v1_server")]
    assert {f"configs/{name}.yml" for name in names} <= set(SHIPPED)


RUNTIME = """\
global:
  data_format: NCHW
  device: gpu
  num_workers: 0
train:
  save_dir: './output'
  do_eval: False
  resume_model: null
  save_interval: 1000
  log_iters: 10
  keep_checkpoint_max: 5
  seed: null
  precision: fp32
  amp_level: O1
  repeats: 1
test:
  aug_eval: False
  scales: 1.0
  flip_horizontal: False
  is_slide: False
  crop_size: null
  stride: null
  auc_roc: False
"""

HUMAN = """\
batch_size: 8    # per card
iters: 1000
save_interval: 100

train_dataset:
  type: Dataset
  dataset_root: data/people
  train_path: data/people/train.txt
  num_classes: 2
  transforms:
    - type: Resize
      target_size: [192, 192]
    - type: ResizeStepScaling
      scale_step_size: 0
    - type: RandomRotation
    - type: RandomPaddingCrop
      crop_size: [192, 192]
    - type: RandomHorizontalFlip
    - type: RandomDistort
    - type: RandomBlur
      prob: 0.3
    - type: Normalize
  mode: train

val_dataset:
  type: Dataset
  dataset_root: data/people
  val_path: data/people/val.txt
  num_classes: 2
  transforms:
    - type: Resize
      target_size: [192, 192]
    - type: Normalize
  mode: val

export:
  transforms:
    - type: Resize
      target_size: [192, 192]
    - type: Normalize

optimizer:
  type: sgd
  momentum: 0.9
  weight_decay: 0.0005

lr_scheduler:
  type: PolynomialDecay
  learning_rate: 0.0001
  end_lr: 0
  power: 0.9

loss:
  types:
    - type: MixedLoss
      losses:
        - type: CrossEntropyLoss
        - type: LovaszSoftmaxLoss
      coef: [0.8, 0.2]
  coef: %s

model:
%s
"""

URL = "https://host.example/weights/backbone.tar.gz"
NETWORKS = {
    "lite": (
        "[1]",
        "  type: PPHumanSegLite\n  align_corners: False\n  num_classes: 2\n  pretrained: weights/x.pdparams",
    ),
    "fcn": (
        "[1]",
        "  type: FCN\n  backbone:\n    type: HRNet_W18_Small_V1\n    align_corners: False\n"
        "  num_classes: 2\n  backbone_indices: [-1]",
    ),
    "mobileseg": (
        "[1, 1, 1]",
        f"  type: MobileSeg\n  num_classes: 2\n  backbone:\n    type: MobileNetV3_large_x1_0  # a comment\n"
        f"    pretrained: {URL}\n  cm_bin_sizes: [1, 2, 4]\n  backbone_indices: [0, 1, 2]\n  cm_out_ch: 128\n"
        "  arm_out_chs: [32, 64, 128]\n  seg_head_inter_chs: [16, 32, 32]\n  use_last_fuse: True",
    ),
    "ppliteseg without num_classes": (
        "[1, 1, 1]",
        f"  type: PPLiteSeg\n  backbone:\n    type: STDC1\n    pretrained: {URL}\n  cm_out_ch: 128\n"
        "  backbone_indices: [1, 2, 3, 4]\n  arm_out_chs: [4, 16, 32, 64]\n  seg_head_inter_chs: [4, 16, 32, 64]",
    ),
    "deeplab": (
        "[1, 1, 1]",
        "  type: DeepLabV3P\n  backbone:\n    type: ResNet50_vd\n    output_stride: 8\n    multi_grid: [1, 2, 4]\n"
        f"    pretrained: {URL}\n  num_classes: 2\n  backbone_indices: [0, 3]\n  aspp_ratios: [1, 12, 24, 36]\n"
        "  aspp_out_channels: 256\n  align_corners: False",
    ),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_paddlesegs_shapes_load_unchanged(write: Write, network: str) -> None:
    if network != "lite":
        pytest.importorskip("paddleseg")
    config = load_config(write(HUMAN % NETWORKS[network]))
    for command in ("train", "val", "predict", "export"):
        config.require(command)  # type: ignore[arg-type]
    assert config["model.num_classes"] == 2


def test_paddlesegs_runtime_base_loads_unchanged(write: Write) -> None:
    write(RUNTIME, "configs/_base_/runtime.yml")
    text = "_base_: '../_base_/runtime.yml'\n" + HUMAN % NETWORKS["lite"]
    config = load_config(write(text, "configs/lite/lite.yml"))
    assert config.setting("save_interval") == 100, "the file's own key comes before its base's section"
    assert config.where("train.log_iters") == "configs/_base_/runtime.yml:10"


def test_the_command_lists_files_and_exits_1_when_one_is_wrong(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write("seed: 1", "good/a.yml")
    write("seed: 1\nmodel: {type: PPHumanSegLite, num_clases: 2}\nsed: 3", "good/deep/b.yaml")
    assert main(["good/a.yml"]) == 0
    assert capsys.readouterr().out == "good/a.yml: ok\n"
    assert main(["good"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "good/a.yml: ok"
    assert [line.split(" ")[0] for line in lines[1:]] == ["good/deep/b.yaml:2:", "good/deep/b.yaml:3:"]


def test_the_command_can_ask_for_a_commands_sections(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("model: {type: PPHumanSegLite}")
    assert main([path, "--for", "val"]) == 1
    assert "config.yml: 'val_dataset' or 'test_dataset' is missing, which val needs" in capsys.readouterr().out
    assert main([path, "--opts", "model.num_classes=3", "--print_config"]) == 0
    assert "  num_classes: 3  # --opts model.num_classes=3" in capsys.readouterr().out


def test_globs_folders_and_nothing(write: Write) -> None:
    for name in ("x/a.yml", "x/y/b.yml", "x/c.txt", "x/[odd].yml"):
        write("seed: 1", name)
    assert find_configs(["x/*.yml"]) == ["x/[odd].yml", "x/a.yml"]
    assert find_configs(["x", "x/a.yml"]) == ["x/[odd].yml", "x/a.yml", "x/y/b.yml"]
    assert find_configs(["x/[odd].yml"]) == ["x/[odd].yml"]
    with pytest.raises(UserError, match=r"'z/\*\.yml' holds no"):
        find_configs(["z/*.yml"])


def test_a_config_that_names_no_network_is_checked_without_paddle(write: Write) -> None:
    path = write("seed: 1\nexport: {transforms: [{type: Resize, target_size: [8, 8]}]}")
    load = f"from paddle_portrait.config import load_config; load_config({path!r})"
    code = f"import sys; {load}; print('paddle' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert found.stdout.strip() == "False"
