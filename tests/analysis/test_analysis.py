"""The analysis against networks counted by hand, and the published counts of real ones."""

from __future__ import annotations

import json
from pathlib import Path

import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_portrait.analysis import analyse
from paddle_portrait.cli.analyze_model import main
from paddle_portrait.errors import UserError
from paddle_portrait.export.operators import list_operators
from paddle_portrait.models import SegOutput
from paddle_portrait.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]


class ByHand(nn.Layer):
    """One of everything that is counted differently."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2D(3, 4, 3, stride=2, padding=1, bias_attr=False)  # 108 weights; folds the norm
        self.norm = nn.BatchNorm2D(4)
        self.twice = nn.Conv2D(4, 4, 3, padding=1, groups=4)  # 36 weights, 4 biases; runs twice
        self.biased_norm = nn.BatchNorm2D(4)  # behind the second run alone, which therefore cannot take it up
        self.lone_norm = nn.BatchNorm2D(8)  # behind a concatenation
        self.weight = self.create_parameter([6, 8, 1, 1])  # for a functional call
        self.up = nn.Conv2DTranspose(6, 2, 2, stride=2)  # 48 weights, 2 biases
        self.weigh = nn.Linear(8, 8)  # 64 weights, 8 biases
        self.aux = nn.Conv2D(8, 2, 1)  # 16 weights, 2 biases; training only

    def forward(self, x: paddle.Tensor) -> SegOutput:
        first = F.relu(self.norm(self.conv(x)))
        second = self.biased_norm(self.twice(self.twice(first)))
        both = self.lone_norm(paddle.concat([first, second], axis=1))
        factor = self.weigh(both.mean([2, 3]))
        scaled = both * paddle.reshape(factor, [-1, 8, 1, 1])
        logits = self.up(F.conv2d(scaled, self.weight))
        unused = self.aux(both)
        return SegOutput(logits, (unused,) if self.training else ())


def test_counts_of_a_network_counted_by_hand() -> None:
    found = analyse(ByHand(), (1, 3, 8, 8))
    small, large = 4 * 4, 8 * 8
    convolutions = 108 * small + 2 * 36 * small + 48 * small
    assert found.macs == convolutions + 64 + 6 * small * 2 * 4
    assert found.macs == convolutions + 64 + 2 * large * 6 * 4 // 4  # the transposed one, counted from its output
    weights = 108 + 36 + 4 + 48 + 48 + 2 + 64 + 8
    assert found.params == weights + 4 + 2 * 4 + 2 * 8  # a new bias, twice a factor and an addend
    assert found.params_unfolded == weights + 2 * (4 + 4 + 8)
    assert found.params_trainable == found.params_unfolded + 16 + 2
    assert found.values_stored == found.params_trainable + 2 * (4 + 4 + 8)


class Twice(nn.Layer):
    """A convolution and its norm that see the picture and its mirror image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2D(3, 4, 3, padding=1, bias_attr=False)
        self.norm = nn.BatchNorm2D(4)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.norm(self.conv(x)) + self.norm(self.conv(x.flip(3))).flip(3)


def test_what_runs_twice_is_stored_once() -> None:
    found = analyse(Twice(), (1, 3, 8, 8))
    assert found.macs == 2 * 108 * 8 * 8
    assert found.params == 108 + 4


def test_every_call_has_its_layer_and_what_training_alone_needs_is_gone() -> None:
    operators = list_operators(ByHand(), (1, 3, 8, 8))
    assert [operator.layer for operator in operators if operator.type == "depthwise_conv2d"] == ["twice", "twice"]
    functional = next(operator for operator in operators if operator.weights and operator.weights[0].name == "weight")
    assert functional.layer == "" and functional.outputs[0].shape == (1, 6, 4, 4)
    assert not any(operator.layer == "aux" for operator in operators)


class Chain(nn.Layer):
    """Two convolutions and a sum over a long way: its memory is easily counted."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2D(1, 10, 1, bias_attr=False)
        self.second = nn.Conv2D(10, 1, 1, bias_attr=False)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return x + self.second(F.relu(self.first(x)))


def test_memory_of_a_network_counted_by_hand() -> None:
    found = analyse(Chain(), (1, 1, 5, 5))
    image = 25 * 4
    assert found.activation_bytes == (10 + 10 + 1 + 1) * image
    assert found.peak_bytes == (1 + 10 + 10) * image  # the image waits for the sum


@pytest.mark.parametrize(
    ("name", "arguments", "shape", "learnable", "mega_macs"),
    [
        ("PPHumanSegLite", {}, (1, 3, 192, 192), 131_766, 103.8),
        ("SINet", {}, (1, 3, 224, 224), 86_910, 63.9),
        ("ExtremeC3Net", {"num_classes": 1}, (1, 3, 224, 224), 37_738, 127.8),
        ("MediaPipeSelfie", {}, (1, 3, 256, 256), 106_401, 59.2),
    ],
)
def test_published_counts(name: str, arguments: dict, shape: tuple, learnable: int, mega_macs: float) -> None:
    found = analyse(MODELS.build(name, **arguments), shape)
    assert found.params_unfolded == learnable
    assert round(found.macs / 1e6, 1) == mega_macs


def test_networks_of_paddleseg_are_analysed_too() -> None:
    pytest.importorskip("paddleseg")
    ours = analyse(MODELS.build("PPHumanSegLite"), (1, 3, 64, 64))
    import paddleseg.models

    theirs = analyse(paddleseg.models.PPHumanSegLite(2), (1, 3, 64, 64))
    assert (theirs.params, theirs.macs) == (ours.params, ours.macs)
    assert theirs.values_stored == 236_178  # with a branch that never runs
    assert any("more than four dimensions" in warning for warning in theirs.warnings)
    assert not any("more than four dimensions" in warning for warning in ours.warnings)


class Clumsy(nn.Layer):
    """What phones do not like."""

    def __init__(self) -> None:
        super().__init__()
        self.odd = nn.Conv2D(3, 5, 3, padding=1)
        self.last = nn.Conv2D(5, 2, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        x = F.pad(self.odd(x), [0, 0, 0, 0, 1, 1, 1, 1])
        x = paddle.transpose(paddle.transpose(x, [0, 2, 3, 1]), [0, 3, 1, 2])
        return paddle.cumsum(self.last(x), axis=1)


def test_what_phones_punish_is_named() -> None:
    pytest.importorskip("paddle2onnx")
    warnings = "\n".join(analyse(Clumsy(), (1, 3, 16, 16), onnx=True).warnings)
    assert "1 convolutions make channels that are no multiple of four" in warnings and "odd (5)" in warnings
    assert "2 x transpose" in warnings
    assert "pad" in warnings
    assert "GPU delegate lacks: CumSum" in warnings


def test_times_are_given_for_what_runs() -> None:
    found = analyse(Chain(), (1, 1, 16, 16), timed_runs=2)
    assert found.layer_ms is not None and set(found.layer_ms) == {"", "first", "second"}
    if found.onnx_ms is not None:
        assert "Conv" in " ".join(found.onnx_ms["operators"])
        assert sum(found.onnx_ms["nodes"].values()) == pytest.approx(sum(found.onnx_ms["operators"].values()))


@pytest.mark.parametrize("shape", [(1, 3, 16), (1, 3, -1, 16), (1, 3, 0, 16)])
def test_a_shape_must_be_known(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="N C H W"):
        analyse(Chain(), shape)


def test_a_size_that_the_network_refuses_is_a_users_error() -> None:
    with pytest.raises(UserError, match="multiples of 32"):
        analyse(MODELS.build("SINet"), (1, 3, 100, 100))


def test_the_tool_prints_a_table_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    config = "configs/pp_humanseg/lite_192x192_portraits.yml"
    file = tmp_path / "new" / "lite.json"
    assert main(["--config", config, "--input_shape", "64", "96", "--json", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "conv_bn0._conv" in printed and "1 x 3 x 64 x 96 (N, C, height, width)" in printed
    content = json.loads(file.read_text(encoding="utf-8"))
    assert content["config"] == config and content["input_shape"] == [1, 3, 64, 96]
    assert content["macs"] == sum(row["macs"] for row in content["operators"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--runs", "0"], "--runs must be 1 or more"),
        (["--input_shape", "64"], "input shape"),
        (["--input_shape", "-1", "-1"], "all from 1 on"),
        (["--input_shape", "1", "4", "64", "64"], "takes 3 channels"),
    ],
)
def test_wrong_flags_are_named(flags: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(ROOT / "configs/pp_humanseg/lite_192x192_portraits.yml")
    assert main(["--config", config, *flags]) == 2
    assert message in capsys.readouterr().err
