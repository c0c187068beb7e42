"""Released networks on MobileNets: converted, they answer as the originals did."""

from pathlib import Path

import numpy as np
import paddle
import pytest

from paddle_portrait.convert import match_by_execution, read_source
from paddle_portrait.convert.conversion import convert
from paddle_portrait.convert.recipes import find_recipe
from paddle_portrait.data.synthesis import render_portrait
from paddle_portrait.preprocess import write_image

CHECKPOINTS = Path(__file__).resolve().parents[2] / "data" / "checkpoints"
pytestmark = pytest.mark.skipif(not CHECKPOINTS.is_dir(), reason="data/checkpoints is not there")


@pytest.mark.parametrize(
    ("name", "norms_restored"), [("mobile_unet_bilinear_128", 56), ("mnv3_small_256", 54), ("deeplab_mnv2_513", 0)]
)
def test_the_converted_network_gives_the_originals_answer(name: str, norms_restored: int, tmp_path: Path) -> None:
    for seed in range(2):
        write_image(tmp_path / f"{seed}.png", render_portrait(seed, (192, 192))[0])
    conversion = convert(find_recipe(name), CHECKPOINTS, calibration=tmp_path)
    assert conversion.golden is not None and conversion.golden.passed, conversion.golden
    assert not conversion.report.missing and not conversion.report.unexpected
    assert conversion.restored == norms_restored


def test_both_files_of_deeplab_are_the_same_function() -> None:
    """One folds batch norms and stuffs dilated kernels with zeros, the other keeps the norms."""
    kept = convert(find_recipe("deeplab_mnv2_513"), CHECKPOINTS).network
    x = paddle.to_tensor(np.random.default_rng(0).uniform(-1, 1, (1, 3, 129, 129)).astype(np.float32))
    with paddle.no_grad():
        expected = kept(x).logits.numpy()
        folded = read_source(CHECKPOINTS / "deeplab_mnv2_dm05" / "deeplab_aiseg513_dm05_float.tflite")
        kept.set_state_dict(match_by_execution(kept, folded, x))
        np.testing.assert_allclose(kept(x).logits.numpy(), expected, atol=1e-3)
