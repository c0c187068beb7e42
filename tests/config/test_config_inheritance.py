"""``_base_``: merging, order, cutting off, and the mistakes one can make with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from paddle_portrait.config import ConfigError, load_config

Write = Callable[..., str]


def test_mappings_merge_lists_are_replaced_and_the_first_base_wins(write: Write) -> None:
    write("seed: 1\nloss: {types: [{type: DiceLoss}], coef: [1]}\n", "base/deep.yml")
    write("_base_: deep.yml\nseed: 2\nbatch_size: 4\nmodel: {type: PPHumanSegLite, in_channels: 3}\n", "base/one.yml")
    write("batch_size: 5\niters: 7\nmodel: {num_classes: 2, in_channels: 4}\n", "base/two.yml")
    path = write(
        """\
        _base_: [base/one.yml, base/two.yml]
        loss:
          types:
            - type: CrossEntropyLoss
        """
    )
    config = load_config(path)
    assert config.to_dict() == {
        "seed": 2,
        "batch_size": 4,
        "iters": 7,
        "model": {"type": "PPHumanSegLite", "in_channels": 3, "num_classes": 2},
        "loss": {"types": [{"type": "CrossEntropyLoss"}], "coef": [1]},
    }
    assert config.where("seed") == "base/one.yml:2"
    assert config.where("iters") == "base/two.yml:2"
    assert config.where("loss.coef") == "base/deep.yml:2"
    assert config.where("loss.types[0].type") == "config.yml:4"


def test_inherited_false_cuts_a_mapping_off_from_all_bases(write: Write) -> None:
    write("optimizer: {type: sgd, momentum: 0.5}\nlr_scheduler: {type: ConstantRate, learning_rate: 1}\n", "a.yml")
    write("optimizer: {use_nesterov: true}\n", "b.yml")
    path = write("_base_: [a.yml, b.yml]\noptimizer: {_inherited_: False, type: AdamW}\n")
    assert load_config(path).to_dict() == {
        "optimizer": {"type": "AdamW"},
        "lr_scheduler": {"type": "ConstantRate", "learning_rate": 1},
    }


def test_inherited_false_at_the_top_keeps_nothing(write: Write) -> None:
    write("seed: 3\niters: 5\n", "base.yml")
    assert load_config(write("_base_: base.yml\n_inherited_: false\nseed: 4\n")).to_dict() == {"seed": 4}


def test_a_mapping_replaces_a_scalar_of_the_base(write: Write) -> None:
    write("ema: null\n", "base.yml")
    assert load_config(write("_base_: base.yml\nema: {decay: 0.9}\n"))["ema"] == {"decay": 0.9}


def test_a_type_that_changes_points_at_the_way_out(write: Write) -> None:
    write("optimizer:\n  type: sgd\n  momentum: 0.9\n", "base.yml")
    with pytest.raises(ConfigError) as raised:
        load_config(write("_base_: base.yml\noptimizer:\n  type: AdamW\n"))
    (problem,) = raised.value.problems
    assert str(problem).startswith("base.yml:3: optimizer.momentum: unknown key")
    assert "The type is from config.yml:3; '_inherited_: False'" in str(problem)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"config.yml": "seed: 1\n_base_: b.yml", "b.yml": "_base_: c.yml", "c.yml": "iters: 1\n_base_: config.yml"},
            "c.yml:2: _base_: the bases go in a circle: config.yml -> b.yml -> c.yml -> config.yml",
        ),
        ({"config.yml": "_base_: ./config.yml"}, "config.yml:1: _base_: the bases go in a circle"),
        (
            {"config.yml": "_base_: sub/b.yml", "sub/b.yml": "seed: 1\n_base_:\n  - none.yml"},
            "sub/b.yml:3: _base_: no such file: config.yml -> sub/b.yml -> sub/none.yml",
        ),
        (
            {"config.yml": "_base_: sub/quikstart.yml", "sub/quickstart.yml": "seed: 1", "sub/other.yml": "seed: 1"},
            "config.yml:1: _base_: no such file: config.yml -> sub/quikstart.yml. Did you mean 'sub/quickstart.yml'?",
        ),
        ({"config.yml": "_base_: 3"}, "config.yml:1: _base_: takes a path or a list of paths; found 3"),
        (
            {"config.yml": "_base_: [b.yml, {}]", "b.yml": "seed: 1"},
            "_base_: takes a path or a list of paths; found {}",
        ),
        ({"config.yml": "_base_: b.yml", "b.yml": "a: b: c"}, "b.yml:1: not valid YAML"),
        (
            {"config.yml": "model: {_inherited_: no}"},
            "config.yml:1: model._inherited_: takes true or false; found 'no'",
        ),
    ],
)
def test_mistakes(write: Write, files: dict[str, str], expected: str) -> None:
    for name, text in files.items():
        write(text, name)
    with pytest.raises(ConfigError) as raised:
        load_config("config.yml")
    assert expected in str(raised.value)


def test_two_bases_may_share_a_base(write: Write) -> None:
    write("seed: 1\n", "root.yml")
    write("_base_: root.yml\niters: 2\n", "a.yml")
    write("_base_: root.yml\nbatch_size: 3\n", "b.yml")
    config = load_config(write("_base_: [a.yml, b.yml]\n"))
    assert config.to_dict() == {"seed": 1, "iters": 2, "batch_size": 3}


def test_every_broken_base_is_reported(write: Write) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(write("_base_:\n  - one.yml\n  - two.yml\n"))
    assert [problem.source.line for problem in raised.value.problems] == [2, 3]
