"""SINet, ExtremeC3Net, HumanSeg-Lite of 2020 and PortraitNet answer as the originals do, from the originals' files."""

from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from paddle_portrait.config import load_config
from paddle_portrait.convert.conversion import convert
from paddle_portrait.convert.golden import check_golden
from paddle_portrait.convert.matching import match_by_execution
from paddle_portrait.convert.recipes import Golden, find_recipe
from paddle_portrait.convert.source import read_source
from paddle_portrait.models import PortraitNet, PPHumanSegLite, load_weights
from paddle_portrait.models.weights import load_arrays
from paddle_portrait.preprocess import Preprocess

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINTS = ROOT / "data" / "checkpoints"
pytestmark = pytest.mark.skipif(not CHECKPOINTS.is_dir(), reason="no data/checkpoints")


@pytest.mark.parametrize("name", ["sinet_320", "sinet_eg1800_224", "extremec3_224", "humanseg_lite_2020"])
def test_converted_networks_answer_as_the_originals(name):
    conversion = convert(find_recipe(name), CHECKPOINTS)
    assert conversion.golden is not None and conversion.golden.error < 5e-5
    assert not conversion.report.missing and not conversion.report.unexpected and not conversion.report.mismatched


def test_humanseg_lite_2020_starts_pp_humanseg_lite(tmp_path):
    old = convert(find_recipe("humanseg_lite_2020"), CHECKPOINTS).network
    paddle.save(old.state_dict(), str(tmp_path / "model.pdparams"))
    config = load_config(ROOT / "configs/pp_humanseg/lite_192x192_from_2020.yml")
    new = PPHumanSegLite(align_corners=config["model.align_corners"]).eval()
    report = load_weights(new, tmp_path / "model.pdparams")
    assert sum(name.endswith("_conv.weight") for name in report.matched) == 46
    assert {name.split(".")[0] for name in [*report.missing, *report.unexpected]} == {"depthwise_separable2"}
    with np.load(CHECKPOINTS / "golden" / "humanseglite_paddlejs_192.npz") as golden:
        picture, expected = golden["x"], golden["y"]
    preprocess = Preprocess.from_transforms(config.inference_transforms())
    tensor = paddle.to_tensor(preprocess(np.ascontiguousarray(picture[..., ::-1]))[0])
    with paddle.no_grad():  # under the old head, the new trunk gives the old answer
        answer = F.softmax(old.depthwise_separable2(new.features(tensor)), axis=1)[0].numpy()
    np.testing.assert_allclose(answer, expected, atol=1e-5)


def test_portrait_net_answers_as_its_8_bit_file():
    """For parity alone: these weights come from a repository without a licence and are not part of the project."""
    source = read_source(CHECKPOINTS / "portrait_net_video" / "portrait_video_quant.tflite")
    network = PortraitNet(in_channels=4, boundary=False).eval()
    example = paddle.zeros([1, 4, 224, 224])
    state = match_by_execution(network, source.reordered(shortcuts_first(source)), example)
    report = load_arrays(network, state, source.path)
    assert not report.missing
    transforms = load_config(ROOT / "configs/portrait_net/portrait_net_224x224_portraits.yml").inference_transforms()
    preprocess = Preprocess.from_transforms(transforms)
    result = check_golden(network, preprocess, Golden("portraitnet_video_dequantised.npz"), CHECKPOINTS)
    assert result.error < 1e-5, result


def shortcuts_first(source):
    """Return which layer of the file each transition's shortcut goes behind: here it runs before the branch."""
    names = [layer.name for layer in source.layers]
    ends = [index for index, layer in enumerate(source.layers) if layer.kind == "deconv"]
    return {names[index - 1]: names[index - 6] for index in ends}
