"""Pruned networks answer as whole ones with silent channels, load again, and their trainings resume exactly."""

import json
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_portrait.cli.prune import main as prune_tool
from paddle_portrait.config import ConfigError, load_config
from paddle_portrait.engine.build import RunOptions
from paddle_portrait.engine.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from paddle_portrait.engine.pruning import PruneOptions, prune
from paddle_portrait.engine.pruning.coupling import couple
from paddle_portrait.engine.stages import train
from paddle_portrait.engine.trained import load_trained
from paddle_portrait.errors import UserError
from paddle_portrait.models import as_seg_output, load_weights
from paddle_portrait.models.channels import CHANNELS_FILE, Slot, apply_widths, channel_widths
from paddle_portrait.models.weights import save_weights
from paddle_portrait.registry import MODELS

# One of each family, as small as it gets; each has couplings of its own: sums, concatenations, shuffles, gates,
# depthwise, grouped and transposed convolutions, heads of training alone.
NETWORKS = {
    "shuffles": {"type": "PPHumanSegLite"},
    "gates": {"type": "MediaPipeSelfie"},
    "gates_and_norms": {"type": "MediaPipeSelfie", "batch_norm": True, "in_channels": 4},
    "boundary_head": {"type": "PortraitNet", "upsampling": "depthwise"},
    "grouped": {"type": "SINet"},
    "dilated": {"type": "ExtremeC3Net"},
    "triples": {"type": "LikeUNet", "variant": "light", "triples": True, "width": 0.5},
    "shortcuts": {"type": "SlimNet"},
    "no_norms": {"type": "PrismaNet"},
    "skips": {"type": "UNet", "width": 0.125},
    "scores": {"type": "FCN8s", "width": 0.0625},
    "residuals": {
        "type": "EncoderDecoder",
        "backbone": {"type": "MobileNetV3SmallMinimalistic", "width": 0.5},
        "head": {"type": "TransitionHead"},
    },
    "expansions": {
        "type": "EncoderDecoder",
        "backbone": {"type": "MobileNetV2", "width": 0.25, "features": "expansions"},
        "head": {"type": "MobileUNetHead", "channels": [32, 32, 16, 16, 8]},
    },
    "pooled": {
        "type": "EncoderDecoder",
        "backbone": {"type": "MobileNetV2", "width": 0.25, "output_stride": 16},
        "head": {"type": "DeepLabPoolingHead", "channels": 32},
    },
}


def build(node):
    """Return a network whose values, norms' included, all matter."""
    paddle.seed(0)
    network = MODELS.build_node(node)
    rng = np.random.default_rng(0)
    for name, value in network.state_dict().items():
        if name.endswith("_variance"):
            value.set_value(rng.uniform(0.5, 2, value.shape).astype(np.float32))
        elif len(value.shape) == 1:
            value.set_value(value + paddle.to_tensor(rng.normal(0, 0.1, value.shape).astype(np.float32)))
    return network


def answers(network, image):
    """Return all outputs in training (dropout aside) and in evaluation."""
    found = []
    for training in (True, False):
        for layer in network.sublayers(include_self=True):
            layer.training = training and "Dropout" not in type(layer).__name__
        with paddle.no_grad():
            output = as_seg_output(network(image))
        found += [value.numpy() for value in (output.logits, *output.aux, output.boundary) if value is not None]
    return found


def silence_what_was_removed(network, removed):
    """Zero what makes the removed channels, and only that: filters, biases, scales and shifts, a channel at a time."""
    for path, layer in network.named_sublayers():
        for index in removed.get(path, ()):
            transposed = isinstance(layer, nn.Conv2DTranspose) and layer._groups == 1
            for name in ("weight", "bias"):
                value = getattr(layer, name, None)
                if value is not None:
                    array = value.numpy()
                    array[(slice(None), index) if transposed and name == "weight" else index] = 0
                    value.set_value(array)


@pytest.mark.parametrize("name", NETWORKS)
def test_pruned_networks_answer_as_whole_ones_with_silent_channels(name):
    network, whole = build(NETWORKS[name]), build(NETWORKS[name])
    channels = NETWORKS[name].get("in_channels", 3)
    report = prune(network, (1, channels, 64, 64), PruneOptions(0.3))
    assert report.macs[1] <= 0.7 * report.macs[0]
    everything = {slot: set(range(size)) for slot, size in report.sizes.items() if slot.side == "out"}
    silence_what_was_removed(
        whole, {slot.layer: sorted(every - set(report.kept[slot].tolist())) for slot, every in everything.items()}
    )
    image = paddle.to_tensor(np.random.default_rng(1).standard_normal((2, channels, 64, 64)).astype(np.float32))
    for found, expected in zip(answers(network, image), answers(whole, image), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-4 * max(1, np.abs(expected).max()))


class Chain(nn.Layer):
    """Two convolutions with a norm between: everything about it can be said by hand."""

    def __init__(self, num_classes=2):
        super().__init__()
        self.num_classes = num_classes
        self.first = nn.Conv2D(3, 4, 1)
        self.norm = nn.BatchNorm2D(4)
        self.last = nn.Conv2D(4, num_classes, 1)
        self.first.weight.set_value(
            np.array([3, 1, 4, 2], np.float32).reshape(4, 1, 1, 1) * np.ones((4, 3, 1, 1), "f4")
        )
        self.norm.weight.set_value(np.array([1, 9, 2, 8], np.float32))

    def forward(self, x):
        return self.last(self.norm(self.first(x)))


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"ratio": 0.2}, [0, 2, 3]),  # 3*4 + 4*2 = 20 products, five for each inner channel; the weakest filter goes
        ({"ratio": 0.5}, [0, 2]),
        ({"ratio": 0.5, "importance": "norm"}, [1, 3]),
        ({"ratio": 0.2, "multiple_of": 2}, [0, 2]),
    ],
)
def test_the_least_important_channels_go(options, kept):
    network = Chain()
    report = prune(network, (1, 3, 2, 2), PruneOptions(**options))
    assert report.macs == (80, 4 * 5 * len(kept))
    assert {slot: index.tolist() for slot, index in report.kept.items()} == {
        Slot("first", "out"): kept,
        Slot("norm", "out"): kept,
        Slot("last", "in"): kept,
    }
    assert channel_widths(network) == {
        "first": {"out": len(kept)},
        "norm": {"out": len(kept)},
        "last": {"in": len(kept)},
    }
    np.testing.assert_array_equal(network.first.weight.numpy()[:, 0, 0, 0], np.array([3, 1, 4, 2])[kept])


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (Chain, {"ratio": 0.6}, "only 50.0% of the multiply-adds can go"),
        (Chain, {"ratio": 1.0}, "must lie between 0 and 1"),
        (Chain, {"ratio": 0.2, "multiple_of": 0}, "must be at least 1"),
        (Chain, {"ratio": 0.2, "max_share": 0.0}, "must lie between 0 and 1"),
        (Chain, {"ratio": 0.2, "keep": ["middle"]}, "'middle' matches no layer"),
        (Chain, {"ratio": 0.2, "keep": ["fir*"]}, "every channel of this network must stay"),
        (lambda: MODELS.build("MediaPipeSelfie"), {"ratio": 0.2, "importance": "norm"}, "take importance 'l1'"),
    ],
)
def test_what_cannot_be_done_is_said(network, options, message):
    with pytest.raises(UserError, match=message.replace("(", "\\(")):
        prune(network(), (1, 3, 64, 64), PruneOptions(**options))


class CountsChannels(Chain):
    """Its code names a number of channels, which no graph shows."""

    def forward(self, x):
        x = self.first(x)
        return self.last(self.norm(x.reshape([1, 4, x.shape[2], x.shape[3]])))


class Unknown(Chain):
    """Sorts its channels, which the tracing does not know."""

    def forward(self, x):
        return self.last(paddle.sort(self.first(x), axis=1))


def test_a_network_whose_code_counts_channels_is_refused():
    with pytest.raises(UserError, match="its code counts on channels"):
        prune(CountsChannels(), (1, 3, 4, 4), PruneOptions(0.2))


def test_channels_around_an_unknown_operator_stay():
    coupling = couple(Unknown(), (1, 3, 4, 4))
    assert set(coupling.labels[Slot("first", "out")].tolist()) <= coupling.fixed


def test_pruning_again_goes_on_from_the_pruned_network():
    network = build({"type": "PPHumanSegLite"})
    first = prune(network, (1, 3, 64, 64), PruneOptions(0.2))
    second = prune(network, (1, 3, 64, 64), PruneOptions(0.2))
    assert second.macs[0] == first.macs[1]
    again = build({"type": "PPHumanSegLite"})
    apply_widths(again, channel_widths(network), "a description")
    shapes = [{name: value.shape for name, value in each.state_dict().items()} for each in (again, network)]
    assert shapes[0] == shapes[1]


@pytest.fixture
def staged(config_file):
    """Return the path of a config that trains, prunes and trains on."""
    return config_file(
        """
stages:
  - {name: whole, iters: 3}
  - {name: pruned, iters: 6, start_from: best, prune: {ratio: 0.3, keep: [conv_bn1._conv]}}
  - {name: longer, iters: 3}
"""
    )


def run_stages(path, save_dir, stop_at=None):
    """Run all stages as ``tools/train.py`` does; stop as Ctrl-C would after an iteration of the stage ``pruned``."""
    from paddle_portrait.engine import stages
    from paddle_portrait.engine.hooks.base import Hook

    class Stop(Hook):
        def after_step(self, trainer, step):
            if stop_at == step.iteration and channel_widths(trainer.model):
                trainer.stop("SIGINT")

    def build_and_watch(config, options):
        trainer = original(config, options)
        trainer.hooks.insert(0, Stop())
        return trainer

    original = stages.build_trainer
    stages.build_trainer = build_and_watch
    try:
        return train(load_config(str(path)), RunOptions(Path(save_dir), do_eval=True, use_ema=True, resume="auto"))
    finally:
        stages.build_trainer = original


def test_a_pruned_stage_resumes_exactly_and_its_model_loads(staged, tmp_path):
    run_stages(staged, tmp_path / "straight")
    run_stages(staged, tmp_path / "broken", stop_at=4)
    assert not (tmp_path / "broken" / "longer").exists()
    run_stages(staged, tmp_path / "broken")
    for stage, iterations in (("pruned", 6), ("longer", 3)):
        one, other = (load_checkpoint(tmp_path / run / stage / f"iter_{iterations}") for run in ("straight", "broken"))
        assert one.widths == other.widths != {}
        for got, wanted in ((one.weights, other.weights), (one.arrays, other.arrays)):
            assert set(got) == set(wanted)
            assert not [name for name in wanted if not np.array_equal(got[name], wanted[name])]
    best = tmp_path / "straight" / "longer" / "best_model"
    network = load_trained(load_config(str(staged)), str(best / "model.pdparams"))
    assert channel_widths(network) == load_checkpoint(best).widths
    assert network.conv_bn1._conv.weight.shape[0] == 18
    assert 18 < network.conv_bn0._conv.weight.shape[0] < 36


def test_a_damaged_description_is_found(tmp_path):
    network = build({"type": "PPHumanSegLite"})
    prune(network, (1, 3, 64, 64), PruneOptions(0.2))
    from paddle_portrait.engine.checkpoint import Checkpoint

    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    save_checkpoint(tmp_path / "iter_1", Checkpoint(weights, {}, {"iteration": 1}, channel_widths(network)))
    assert load_checkpoint(tmp_path / "iter_1").widths == channel_widths(network)
    file = tmp_path / "iter_1" / CHANNELS_FILE
    content = json.loads(file.read_text())
    with pytest.raises(UserError, match="describes another network"):
        load_weights(build({"type": "SINet"}), tmp_path / "iter_1")
    content["layers"]["conv_bn0._conv"]["out"] += 1
    file.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=CHANNELS_FILE):
        load_checkpoint(tmp_path / "iter_1")
    file.unlink()
    with pytest.raises(CheckpointError, match="lacks its file"):
        load_checkpoint(tmp_path / "iter_1")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{ratio: 1.5}", "from 0 to 1"),
        ("{}", "needs the key 'ratio'"),
        ("{ratio: 0.3, importence: l1}", "did you mean 'importance'"),
        ("{ratio: 0.3, importance: l2}", "takes 'l1' or 'norm'"),
        ("0.3", "takes a mapping"),
    ],
)
def test_the_section_of_a_stage_is_checked(config_file, section, message):
    path = config_file(f"\nstages: [{{name: a, iters: 2, prune: {section}}}]\n")
    with pytest.raises(ConfigError, match=message):
        load_config(str(path))


def test_the_tool_writes_what_loads_again(config_file, tmp_path, capsys):
    path = config_file()
    network = build({"type": "PPHumanSegLite"})
    save_weights({name: value.numpy() for name, value in network.state_dict().items()}, tmp_path / "whole.pdparams")
    where = [
        "--config",
        str(path),
        "--model_path",
        str(tmp_path / "whole.pdparams"),
        "--save_dir",
        str(tmp_path / "out"),
    ]
    assert prune_tool([*where, "--ratio", "0.3"]) == 0
    assert "million multiply-adds (-3" in capsys.readouterr().out
    pruned = load_trained(load_config(str(path)), str(tmp_path / "out"))
    prune(network, (1, 3, 32, 32), PruneOptions(0.3))
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(pruned.state_dict()[name].numpy(), value.numpy())
    assert prune_tool([*where, "--ratio", "0.9"]) == 2
