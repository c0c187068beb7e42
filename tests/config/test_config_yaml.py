"""YAML as this package reads it: YAML 1.2's scalars, no duplicate keys, no objects, UTF-8, lines for every mistake."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from paddle_portrait.config import ConfigError, Source, load_config
from paddle_portrait.config.nodes import Findings
from paddle_portrait.config.yaml_text import dump_scalar, parse_value, parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        (".5", 0.5),
        ("-2.", -2.0),
        ("010", 10),
        ("0x1f", 31),
        ("0o17", 15),
        ("-0", 0),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("no", "no"),
        ("Off", "Off"),
        ("yes", "yes"),
        ("True", True),
        ("false", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("12:30:45", "12:30:45"),
        ("2024-01-02", "2024-01-02"),
        ("1_000", "1_000"),
        ("'1e-3'", "1e-3"),
        ("http://host/file?a=b", "http://host/file?a=b"),
        ("[1, {a: no}]", [1, {"a": "no"}]),
    ],
)
def test_scalars(text: str, value: object) -> None:
    found = parse_value(text)
    assert found == value and type(found) is type(value)


def test_nan() -> None:
    assert math.isnan(parse_value(".nan"))


@pytest.mark.parametrize(
    "value", [1e-3, 1e30, 5, True, None, "1e-3", "no", "true", "null", "", "a: b", "# x", "é", [1, "2"]]
)
def test_what_is_printed_reads_back_the_same(value: object) -> None:
    assert parse_value(dump_scalar(value)) == value


def test_anchors_merge_keys_and_lines() -> None:
    text = "a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\nc: *x\n"
    findings = Findings()
    tree = parse_yaml(text, Source("f.yml", 1), findings)
    assert tree is not None and not findings.problems
    assert tree.plain() == {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}, "c": {"p": 1, "q": 2}}
    assert str(tree.entries["b"].entries["q"].source) == "f.yml:4"
    tree.entries["a"].entries["p"].value = 9
    assert tree.entries["c"].entries["p"].value == 1, "an alias is a copy"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "config.yml:3: a: key given twice (first at line 1)"),
        ("seed: 1\nmodel: {type: PPHumanSegLite, type: X}\n", "config.yml:2: model.type: key given twice"),
        (
            "seed: 1\nmodel:\n  pretrained: pretrained: x.pdparams\n",
            "config.yml:3: not valid YAML: two keys on one line",
        ),
        ("seed: 1\nmodel:\n\ttype: X\n", "config.yml:3: not valid YAML: a tab; indent with spaces"),
        ("seed: 1\nmodel: [1, 2\n", "config.yml:3: not valid YAML"),
        ("seed: 1\nmodel: !!python/object/apply:os.system [ls]\n", "config.yml:2: model: the tag"),
        ("seed: 1\nmodel: !mine {a: 1}\n", "config.yml:2: model: the tag '!mine' is not allowed"),
        ("a: 1\n---\nb: 2\n", "config.yml:2: not valid YAML"),
        ("", "config.yml:1: a config is a mapping such as 'batch_size: 8'; this file holds nothing"),
        ("- 1\n- 2\n", "config.yml:1: a config is a mapping such as 'batch_size: 8'; this file holds a list"),
        ("seed: 1\n[1, 2]: 3\n", "config.yml:2: a key must be a word"),
        (b"seed: 1\n# caf\xe9\n", "config.yml:2: not UTF-8 (byte 0xe9)"),
        (b"seed: 1\nmodel: \x07\n", "config.yml:2: the character U+0007 is not allowed"),
        ("a: &a\n  b: *a\n", "anchors that contain themselves"),
        ("seed: 1\nmodel: *nothing\n", "config.yml:2: not valid YAML: found undefined alias"),
        ("a: " + "[" * 1200 + "]" * 1200, "nested too deeply"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{y}: &{y} [{','.join(['*' + x] * 10)}]\n" for x, y in zip("abcdefg", "bcdefgh", strict=True)),
            "too many values",
        ),
        ("seed: " + "9" * 5000, "is not a number"),
    ],
)
def test_unreadable_files_name_the_line(write: Callable[..., str], text: str | bytes, expected: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(write(text))
    assert expected in str(raised.value)


def test_a_byte_order_mark_and_other_alphabets_are_fine(write: Callable[..., str]) -> None:
    config = load_config(write("\ufeffmodel: {type: PPHumanSegLite, pretrained: 画像/модель.pdparams}\n"))
    assert config["model.pretrained"] == "画像/модель.pdparams"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("none.yml", "none.yml: no such file$"),
        ("confg.yaml", r"confg\.yaml: no such file\. Did you mean 'config\.yml'\?"),
        ("nowhere/config.yml", "no such file, for there is no folder 'nowhere'"),
        (".", "is a folder"),
    ],
)
def test_what_is_no_file(write: Callable[..., str], path: str, expected: str) -> None:
    write("seed: 1")
    with pytest.raises(ConfigError, match=expected):
        load_config(path)
