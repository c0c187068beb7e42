"""docs/losses.md lists every loss, with YAML that builds it."""

import re
from pathlib import Path

import pytest

from paddle_portrait.config.nodes import Findings, Source
from paddle_portrait.config.yaml_text import parse_yaml
from paddle_portrait.losses import Objective
from paddle_portrait.registry import LOSSES

PAGE = (Path(__file__).parents[2] / "docs" / "losses.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+Loss)` \|.*\| (.+) \|$", PAGE, re.MULTILINE))


def read(text):
    """Read YAML as configs are read."""
    findings = Findings()
    node = parse_yaml(text, Source("losses.md", 1), findings)
    findings.raise_if_any()
    return node.plain()


def test_every_loss_has_a_row():
    assert set(ROWS) == set(LOSSES.own_names())


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.startswith("`")])
def test_the_yaml_of_a_row_builds_it(name):
    node = read(ROWS[name].strip("`"))
    assert node["type"] == name and Objective.from_config({"objective": [node]}).terms


def test_the_yaml_of_the_page_builds():
    blocks = [read(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    portrait_net, views, teachers = blocks
    assert Objective.from_config(portrait_net).needs_textured and views["train_dataset"]["consistency_transforms"]
    del teachers["objective"][1]["teachers"][0]["model"]["pretrained"]
    assert not Objective.from_config(teachers).needs_textured
