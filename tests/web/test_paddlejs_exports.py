"""Exports for Paddle.js are run where they will be used: in a browser, with the published Paddle.js."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.export import export_model
from paddle_portrait.export.browser_runner import BrowserRunner
from paddle_portrait.inference.deploy_file import DeployFile

TRANSFORMS = [{"type": "Resize", "target_size": [24, 32]}, {"type": "Normalize", "mean": [0.5] * 3, "std": [0.5] * 3}]
pytestmark = [pytest.mark.usefixtures("paddlejs"), pytest.mark.timeout(1200)]  # drawn in software


class Small(nn.Layer):
    """What is rewritten for Paddle.js (PReLU, a mean, a cut of channels), and the operators of most networks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2D(3, 8, 3, 2, 1), nn.BatchNorm2D(8), nn.PReLU(8))
        self.deep = nn.Sequential(nn.Conv2D(8, 8, 3, 2, 1, groups=8), nn.Hardswish())
        self.head = nn.Conv2D(16, 2, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        shallow = self.stem(x)
        deep = F.interpolate(self.deep(shallow), paddle.shape(shallow)[2:], mode="bilinear")
        first, second = paddle.split(deep, 2, axis=1)
        weight = F.hardsigmoid(shallow.mean([2, 3], keepdim=True))
        logits = self.head(paddle.concat([shallow * weight, second, first], axis=1))
        return F.interpolate(3 * logits, paddle.shape(x)[2:], mode="bilinear")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an export for Paddle.js."""
    paddle.seed(5)
    network = Small()
    network.eval()
    directory = tmp_path_factory.mktemp("exported") / "e"
    export_model(network, TRANSFORMS, directory, ["paddlejs"], "sigmoid")
    return directory


def test_an_export_is_compared_with_the_trained_network(exported: Path) -> None:
    entry = json.loads((exported / "parity.json").read_text())["targets"]["paddlejs"]
    assert entry["ran"] and entry["passed"] and entry["finite"] and entry["why"] is None
    assert 0 < entry["max_abs_diff"] < 1e-3 and entry["mask_iou"] == 1.0
    assert entry["runtime"].startswith("paddle.js 2.")


class Branches(nn.Layer):
    """Two networks that read the same input, each through several layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (
            nn.Sequential(nn.Conv2D(3, 4, 3, 1, 1), nn.ReLU(), nn.Conv2D(4, 1, 3, 1, 1)) for _ in range(2)
        )

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return paddle.concat([self.first(x), self.second(x)], axis=1)


def test_branches_that_read_the_input_are_computed(tmp_path: Path) -> None:
    paddle.seed(6)
    network = Branches()
    network.eval()
    export_model(network, TRANSFORMS, tmp_path / "e", ["paddlejs"], "sigmoid")
    entry = json.loads((tmp_path / "e" / "parity.json").read_text())["targets"]["paddlejs"]
    assert entry["passed"] and entry["max_abs_diff"] < 1e-3


def test_a_graph_that_paddlejs_cannot_run(exported: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(exported, tmp_path / "e"))
    model = damaged / "paddlejs" / "model.json"
    graph = json.loads(model.read_text())
    graph["ops"][1]["type"] = "no_such_operator"
    model.write_text(json.dumps(graph))
    files = DeployFile.read(damaged).targets["paddlejs"]
    with pytest.raises(UserError, match=r"Paddle\.js: .*no_such_operator"):
        BrowserRunner(damaged, files).run(np.zeros((1, 3, 32, 24), np.float32))


def test_nothing_is_left_running(exported: Path) -> None:
    runner = BrowserRunner(exported, DeployFile.read(exported).targets["paddlejs"])
    browser = runner.pid
    os.killpg(browser, 0)
    runner.close()
    with pytest.raises(ProcessLookupError):
        for _ in range(100):  # the system takes a moment to forget those that ended
            os.killpg(browser, 0)
            time.sleep(0.1)
