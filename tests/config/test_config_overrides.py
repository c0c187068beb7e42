"""``--opts`` and flags: typed like what they replace, and unable to invent a key."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from paddle_portrait.config import ConfigError, load_config

Write = Callable[..., str]


@pytest.mark.parametrize(
    ("option", "path", "value"),
    [
        ("batch_size=16", "batch_size", 16),
        ("iters=1e3", "iters", 1000),
        ("lr_scheduler.learning_rate=0", "lr_scheduler.learning_rate", 0),
        ("lr_scheduler.learning_rate=1e-3", "lr_scheduler.learning_rate", 0.001),
        ("train_dataset.transforms.1.prob=0.7", "train_dataset.transforms[1].prob", 0.7),
        ("train_dataset.transforms[0].target_size=[64,32]", "train_dataset.transforms[0].target_size", [64, 32]),
        ("train_dataset.transforms[0].target_size=64,32", "train_dataset.transforms[0].target_size", [64, 32]),
        ("train_dataset.dataset_root=123", "train_dataset.dataset_root", "123"),
        ("train_dataset.dataset_root=a=b", "train_dataset.dataset_root", "a=b"),
        ("train_dataset.dataset_root='quo ted'", "train_dataset.dataset_root", "quo ted"),
        ("model.pretrained=http://host/f?k=v&a=b", "model.pretrained", "http://host/f?k=v&a=b"),
        ("model.pretrained=null", "model.pretrained", None),
        ("model.align_corners=yes", "model.align_corners", True),  # not in the file, but an argument of the class
        ("seed=3", "seed", 3),  # not in the file, but a setting
        ("optimizer.type=Momentum", "optimizer.type", "Momentum"),
        ("loss.types.0={type: DiceLoss}", "loss.types[0].type", "DiceLoss"),
    ],
)
def test_values(complete: str, option: str, path: str, value: object) -> None:
    config = load_config(complete, [option])
    found = config.get(path) if value is None else config[path]
    assert found == value and type(found) is type(value)
    assert config.where(path) == f"--opts {option}"


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("iterss=9", "--opts iterss=9: iterss: unknown key; did you mean 'iters'?"),
        ("model.num_clases=3", "model.num_clases: unknown key; did you mean 'num_classes'?"),
        (
            "modell.num_classes=3",
            "modell: no such key in the config: did you mean 'model'? the keys here are batch_size",
        ),
        ("ema.decay=0.9", "ema: no such key in the config"),
        (
            "train_dataset.transforms.7.prob=1",
            "train_dataset.transforms.7: no such key in the config: the items here are 0 to 2",
        ),
        ("train_dataset.transforms.-1.prob=1", "train_dataset.transforms.-1: no such key"),
        ("train_dataset.transforms.3={type: Normalize}", "train_dataset.transforms.3: the items here are 0 to 2"),
        ("train_dataset.transforms.1.prb=1", "train_dataset.transforms[1].prb: unknown key; did you mean 'prob'?"),
        ("batch_size.x=1", "batch_size.x: what is there is 8, which has no keys"),
        ("batch_size.x.y=1", "batch_size.x: no such key in the config: what is there is 8, which has no keys"),
        ("iters=many", "iters: found 'many'; the config has 100, and the type is kept"),
        ("iters=true", "iters: found true; the config has 100, and the type is kept"),
        ("iters=2.5", "iters: found 2.5; takes a whole number"),
        ("model={type: PPHumanSegLite", "model: cannot read '{type: PPHumanSegLite' as a value in YAML"),
        ("model=PPHumanSegLite", "model: found 'PPHumanSegLite'; the config has"),
        ("loss.coef=x", "loss.coef: found 'x'; the config has [1], and the type is kept"),
        ("batch_size", "--opts batch_size: takes KEY=VALUE"),
        ("=3", "--opts =3: takes KEY=VALUE"),
        ("batch_size=", "batch_size: found null; takes a whole number of at least 1"),
        ("model.type=os.system", "model.type: unknown model 'os.system'"),
    ],
)
def test_mistakes(complete: str, option: str, expected: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(complete, [option])
    assert expected in str(raised.value)


def test_paddlesegs_spelling_of_several_scales(write: Write) -> None:
    config = load_config(write("test_config: {scales: 1.0}"), ["test_config.scales=0.75,1.0,1.25"])
    assert config["test_config.scales"] == [0.75, 1.0, 1.25]


def test_a_zero_from_a_flag_counts_and_a_flag_not_given_does_not(complete: str) -> None:
    config = load_config(complete, overrides={"lr_scheduler.learning_rate": 0.0, "iters": None, "batch_size": 2})
    assert (config["lr_scheduler.learning_rate"], config["iters"], config["batch_size"]) == (0.0, 100, 2)
    assert config.where("lr_scheduler.learning_rate") == "--learning_rate"
    assert config.where("iters") == "config.yml:2"


def test_flags_win_over_opts(complete: str) -> None:
    assert load_config(complete, ["iters=5"], {"iters": 7})["iters"] == 7


def test_flags_are_checked(complete: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(complete, overrides={"iters": 0, "lr_scheduler.learning_rate": -1.0})
    assert "--iters: iters: found 0; takes a whole number of at least 1 or null" in str(raised.value)


def test_a_flag_for_a_section_that_is_missing(write: Write) -> None:
    with pytest.raises(ConfigError, match="--learning_rate: lr_scheduler: no such key in the config"):
        load_config(write("seed: 1"), overrides={"lr_scheduler.learning_rate": 0.1})


def test_mistakes_of_flags_and_file_come_together(write: Write) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(write("seed: -1\niters: 5\n"), ["iters=x", "nothing"])
    assert len(raised.value.problems) == 3


def test_a_flag_makes_a_plain_section(complete: str, write: Write) -> None:
    assert load_config(complete, overrides={"early_stop.intervals": 3})["early_stop"] == {"intervals": 3}
    assert load_config(write("early_stop: null"), overrides={"early_stop.intervals": 3})["early_stop.intervals"] == 3


def test_iters_from_a_flag_take_the_place_of_epochs(write: Write) -> None:
    assert load_config(write("epochs: 4"), overrides={"iters": 5}).to_dict() == {"iters": 5}


def test_iters_from_a_flag_do_not_fit_stages(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"--iters: the stages \(config.yml:1\) have lengths of their own"):
        load_config(write("stages: [{name: a, iters: 1}]"), overrides={"iters": 5})
