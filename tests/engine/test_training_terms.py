"""Trainings of a few iterations with every loss, from YAML to checkpoint; two views of each crop; teachers."""

import numpy as np
import pytest
import yaml

from paddle_portrait.config import ConfigError, load_config
from paddle_portrait.engine.build import RunOptions, build_trainer
from paddle_portrait.engine.checkpoint import load_checkpoint
from paddle_portrait.engine.history import read_history
from paddle_portrait.registry import LOSSES

LITE = {"type": "PPHumanSegLite"}
TEACHER = {
    "type": "Teacher",
    "model": LITE,
    "transforms": [{"type": "Resize", "target_size": [48, 40]}, {"type": "Normalize", "colour": "bgr"}],
}
TERMS = {
    "BCELoss": {"weight": 0.5},
    "BoundaryBandLoss": {"kernel_size": 5, "inner": {"type": "LovaszHingeLoss"}},
    "BoundaryFocalLoss": {"on": "boundary", "weight": 0.1, "method": "canny"},
    "ConsistencyKLLoss": {"weight": 2.0, "temperature": 1.0},
    "CrossEntropyLoss": {"view": "both"},
    "DiceLoss": {},
    "DistillationLoss": {"teachers": [TEACHER, TEACHER], "temperature": 2.0},
    "FocalLoss": {"alpha": 0.5},
    "L1Loss": {},
    "LaplacianPyramidLoss": {"levels": 3},
    "LovaszHingeLoss": {},
    "LovaszSoftmaxLoss": {"view": "textured"},
    "MSELoss": {},
    "MixedLoss": {"losses": [{"type": "CrossEntropyLoss", "weight": [1, 2]}, {"type": "DiceLoss"}], "coef": [0.7, 0.3]},
    "OhemCrossEntropyLoss": {"min_kept": 500},
    "SemanticConnectivityLoss": {"weight": 0.01},
}
TEXTURE = [{"type": "RandomDistort", "brightness_prob": 1.0}, {"type": "RandomNoise"}]
PORTRAIT_NET = [
    {"type": "CrossEntropyLoss", "view": "both"},
    {"type": "ConsistencyKLLoss", "weight": 2.0},
    {"type": "BoundaryFocalLoss", "on": "boundary", "view": "textured", "weight": 0.1},
]


@pytest.fixture
def write(config_file):
    """Return a function that writes a config with a given objective and texture, and other changes at its top."""

    def write_config(objective, texture=None, iters=3, **changes):
        path = config_file(objective=False, iters=iters)
        config = yaml.safe_load(path.read_text())
        config.update(objective=objective, **changes)
        if texture is not None:
            config["train_dataset"]["consistency_transforms"] = texture
        path.write_text(yaml.safe_dump(config))
        return path

    return write_config


def trainer_for(path, save_dir, **options):
    return build_trainer(load_config(str(path)), RunOptions(save_dir, **options))


def weights_of(trainer):
    return {name: value.numpy() for name, value in trainer.model.state_dict().items()}


def test_every_own_loss_is_trained_with_below():
    assert set(TERMS) == set(LOSSES.own_names())


@pytest.mark.parametrize("num_classes", [1, 2])
@pytest.mark.parametrize("name", TERMS)
def test_three_iterations_with(name, num_classes, write, tmp_path):
    if name == "MixedLoss" and num_classes == 1:
        pytest.skip("as its parts")
    kind = "PortraitNet" if TERMS[name].get("on") == "boundary" else "PPHumanSegLite"
    path = write([{"type": name, **TERMS[name]}], TEXTURE, model={"type": kind, "num_classes": num_classes})
    trainer = trainer_for(path, tmp_path)
    before = weights_of(trainer)
    trainer.run()
    terms = {key for row in read_history(tmp_path / "history.jsonl") for key in row if key.startswith(name)}
    views = {"both": ["", "/textured"], "textured": ["/textured"]}.get(TERMS[name].get("view"), [""])
    assert terms == {f"{name}@{TERMS[name].get('on', 'logits')}{view}" for view in views}
    after = load_checkpoint(tmp_path / "iter_3").weights
    assert set(after) == set(before)  # a teacher is no part of it
    assert any(not np.array_equal(before[key], after[key]) for key in before if key.endswith("weight"))


def test_the_objective_of_portrait_net_adds_up(write, tmp_path):
    trainer = trainer_for(write(PORTRAIT_NET, TEXTURE, model={"type": "PortraitNet"}, iters=2), tmp_path)
    trainer.run()
    row = read_history(tmp_path / "history.jsonl")[0]
    both = row["CrossEntropyLoss@logits"] + row["CrossEntropyLoss@logits/textured"]
    rest = 2.0 * row["ConsistencyKLLoss@logits"] + 0.1 * row["BoundaryFocalLoss@boundary/textured"]
    assert row["loss"] == pytest.approx(both + rest, rel=1e-5)
    assert row["ConsistencyKLLoss@logits"] > 0


def test_no_second_view_is_made_where_no_term_looks_at_it(write, tmp_path):
    for objective, expected in ([{"type": "DiceLoss"}], False), (PORTRAIT_NET[:2], True):
        trainer = trainer_for(write(objective, TEXTURE), tmp_path)
        assert (trainer.loader.batch(0).textured is not None) == expected


def test_a_resume_with_two_views_is_exact(write, tmp_path):
    path = write(PORTRAIT_NET[:2], TEXTURE, iters=6)
    trainer_for(path, tmp_path / "whole").run()
    half = trainer_for(path, tmp_path / "half")
    half.total_iterations = 3
    half.run()
    trainer_for(path, tmp_path / "half", resume="auto").run()
    whole, halves = (load_checkpoint(tmp_path / name / "iter_6").weights for name in ("whole", "half"))
    assert all(np.array_equal(whole[name], halves[name]) for name in whole)


@pytest.mark.parametrize(
    ("objective", "texture", "message"),
    [
        ([{"type": "ConsistencyKLLoss"}], None, r"objective\[0\]: looks at a second view.*consistency_transforms"),
        ([{"type": "DiceLoss", "view": "both"}], None, r"objective\[0\]: looks at a second view"),
        ([{"type": "DiceLoss", "view": "blue"}], TEXTURE, r"objective\[0\].view: .*'blue'"),
        ([{"type": "DiceLoss"}], [{"type": "RandomBlurr"}], r"consistency_transforms\[0\].*Did you mean 'RandomBlur'"),
        ([{"type": "DiceLoss"}], [{"type": "RandomBlur", "prop": 1}], r"consistency_transforms\[0\].prop: unknown key"),
        ([{"type": "DistillationLoss", "teachers": [{"type": "Teacher", "model": LITE}]}], None, "transforms"),
        (
            [{"type": "DistillationLoss", "teachers": [{**TEACHER, "model": {"type": "PPHumanSegLit"}}]}],
            None,
            r"teachers\[0\].model.*Did you mean 'PPHumanSegLite'",
        ),
        ([{"type": "BoundaryBandLoss", "inner": {"type": "DiceLos"}}], None, r"objective\[0\].inner.*'DiceLoss'"),
        ([{"type": "MixedLoss", "losses": [{"type": "ConsistencyKLLoss"}], "coef": [1]}], None, "in 'objective'"),
    ],
)
def test_mistakes_in_the_config_are_found_before_the_run(objective, texture, message, write):
    with pytest.raises(ConfigError, match=message):
        load_config(str(write(objective, texture)))
