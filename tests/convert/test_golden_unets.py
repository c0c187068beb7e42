"""Prisma-Net, Slim-Net, LikeUNet and MediaPipe's selfie segmentation answer as the originals do."""

from pathlib import Path

import numpy as np
import paddle
import pytest

from paddle_portrait.convert import match_by_execution, read_source
from paddle_portrait.convert.conversion import convert
from paddle_portrait.convert.golden import check_golden
from paddle_portrait.convert.recipes import Golden, find_recipe
from paddle_portrait.models import LikeUNet, MediaPipeSelfie
from paddle_portrait.models.weights import load_arrays

CHECKPOINTS = Path(__file__).resolve().parents[2] / "data" / "checkpoints"
pytestmark = pytest.mark.skipif(not CHECKPOINTS.is_dir(), reason="data/checkpoints is not there")


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("prisma_net_256", 1e-5),
        ("prisma_trinet_256", 1e-5),
        ("slimnet_512", 2e-5),
        ("likeunet_dark_light", 1e-5),
        ("mediapipe_selfie_general", 5e-5),
        ("mediapipe_selfie_landscape", 5e-5),
    ],
)
def test_converted_networks_answer_as_the_originals(name, limit):
    conversion = convert(find_recipe(name), CHECKPOINTS)
    assert conversion.golden is not None and conversion.golden.error < limit, conversion.golden
    assert not conversion.report.missing and not conversion.report.unexpected and not conversion.report.mismatched


def test_the_triples_of_likeunet_merge_into_the_released_merged_weights():
    released = convert(find_recipe("likeunet_dark_light"), CHECKPOINTS)
    triples = LikeUNet(in_channels=1, variant="light", triples=True).eval()
    source = read_source(CHECKPOINTS / "like_unet" / "dark-light-pre-50-0.9735.h5")
    load_arrays(triples, match_by_execution(triples, source, paddle.zeros([1, 1, 64, 64])), source.path)
    golden = Golden("likeunet_dark_light_pre_256.npz")
    assert check_golden(triples, released.preprocess, golden, CHECKPOINTS).error < 1e-5
    triples.deploy()
    assert check_golden(triples, released.preprocess, golden, CHECKPOINTS).error < 1e-5
    expected = released.network.state_dict()
    assert triples.state_dict().keys() == expected.keys()
    for name, value in triples.state_dict().items():
        np.testing.assert_allclose(value.numpy(), expected[name].numpy(), rtol=1e-6, atol=1e-7, err_msg=name)


def test_mediapipes_folded_weights_fill_batch_norms_too():
    released = convert(find_recipe("mediapipe_selfie_general"), CHECKPOINTS)
    network = MediaPipeSelfie(batch_norm=True).eval()
    source = read_source(CHECKPOINTS / "mediapipe_selfie" / "selfie_segmentation.tflite")
    load_arrays(network, match_by_execution(network, source, paddle.zeros([1, 3, 64, 64])), source.path)
    assert check_golden(network, released.preprocess, Golden("selfie_general_256.npz"), CHECKPOINTS).error < 5e-5


def test_both_files_of_mediapipes_landscape_network_are_the_same_function():
    released = convert(find_recipe("mediapipe_selfie_landscape"), CHECKPOINTS)
    onnxruntime = pytest.importorskip("onnxruntime")
    file = CHECKPOINTS / "mediapipe_selfie" / "selfie_segmentation_landscape.onnx"
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    x = np.random.default_rng(0).random((1, 3, 144, 256)).astype(np.float32)
    fed = x if entry.shape[1] == 3 else x.transpose(0, 2, 3, 1)
    (expected,) = session.run(None, {entry.name: fed})
    with paddle.no_grad():
        found = paddle.nn.functional.sigmoid(released.network(paddle.to_tensor(x)).logits).numpy()
    np.testing.assert_allclose(found.ravel(), expected.ravel(), atol=1e-4)
