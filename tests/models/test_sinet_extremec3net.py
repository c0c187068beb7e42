"""SINet and ExtremeC3Net: sizes, training in two stages, the gate of SINet's decoder."""

import numpy as np
import paddle
import pytest

from paddle_portrait.errors import UserError
from paddle_portrait.models import ExtremeC3Net, SINet, load_weights
from paddle_portrait.models.sinet import uncertainty


def learnable(model):
    return sum(value.size for value in model.parameters() if not value.stop_gradient)


def test_they_have_the_published_numbers_of_parameters():
    assert learnable(SINet()) == 86_910
    assert learnable(ExtremeC3Net()) == 37_738


@pytest.mark.parametrize(("network", "divisor"), [(SINet, 32), (ExtremeC3Net, 4)])
@pytest.mark.parametrize("encoder_only", [False, True])
@pytest.mark.parametrize("classes", [1, 2])
def test_output_has_the_size_of_the_input(network, divisor, encoder_only, classes):
    model = network(num_classes=classes, in_channels=4, encoder_only=encoder_only).eval()
    with paddle.no_grad():
        assert model(paddle.randn([1, 4, 2 * divisor, divisor])).logits.shape == [1, classes, 2 * divisor, divisor]
    with pytest.raises(UserError, match=f"multiples of {divisor}"):
        model(paddle.randn([1, 4, 2 * divisor + 2, divisor]))


@pytest.mark.parametrize("network", [SINet, ExtremeC3Net])
def test_a_second_stage_starts_from_the_encoder_of_the_first(network, tmp_path):
    encoder = network(encoder_only=True)
    paddle.save(encoder.state_dict(), str(tmp_path / "model.pdparams"))
    whole = network()
    report = load_weights(whole, tmp_path / "model.pdparams")
    assert not report.unexpected and not report.mismatched
    assert all(name.startswith("encoder.") for name in report.matched)
    assert not any(name.startswith("encoder.") for name in report.missing)
    x = paddle.randn([1, 3, 64, 64])
    encoder.eval()
    whole.eval()
    with paddle.no_grad():
        for ours, theirs in zip(
            paddle.utils.flatten(whole.encoder(x)), paddle.utils.flatten(encoder.encoder(x)), strict=True
        ):
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_the_gate_opens_where_the_coarse_mask_is_unsure():
    sure, unsure = [8.0, -8.0], [0.3, 0.3]
    gate = uncertainty(paddle.to_tensor([[[sure, unsure]]]).transpose([0, 3, 1, 2])).numpy()
    np.testing.assert_allclose(gate.ravel(), [1 / (1 + np.exp(16)), 0.5], atol=1e-6)


def test_the_gate_is_the_same_for_one_logit_as_for_two():
    logit = paddle.linspace(-6, 6, 25).reshape([1, 1, 5, 5])
    two = paddle.concat([-logit / 2, logit / 2], axis=1)
    np.testing.assert_allclose(uncertainty(logit).numpy(), uncertainty(two).numpy(), atol=1e-6)
