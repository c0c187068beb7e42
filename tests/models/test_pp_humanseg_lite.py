"""PP-HumanSeg-Lite is PaddleSeg's network, checkpoint for checkpoint."""

import numpy as np
import paddle
import pytest

from paddle_portrait.models import PPHumanSegLite, as_seg_output, load_weights


def randomise(model, seed=0):
    """Give every value of a network's state, batch-norm statistics included, something far from its start."""
    rng = np.random.default_rng(seed)
    for name, value in model.state_dict().items():
        if name.endswith(("_variance", "_batch_norm.weight")):
            array = rng.uniform(0.5, 1.5, value.shape)
        elif "_batch_norm" in name:
            array = rng.uniform(-0.3, 0.5, value.shape)
        else:
            array = rng.normal(0, 0.2, value.shape)
        value.set_value(paddle.to_tensor(array.astype(np.float32)))
    return model


def test_it_holds_the_published_number_of_values():
    state = PPHumanSegLite().state_dict()
    assert len(state) == 240
    assert sum(value.size for value in state.values()) == 137_466


def test_paddleseg_checkpoints_load_and_give_its_output(tmp_path):
    paddleseg_models = pytest.importorskip("paddleseg.models", reason="paddleseg is not installed")
    theirs = randomise(paddleseg_models.PPHumanSegLite(num_classes=2)).eval()
    paddle.save(theirs.state_dict(), str(tmp_path / "model.pdparams"))
    ours = PPHumanSegLite().eval()
    report = load_weights(ours, tmp_path / "model.pdparams")
    assert (len(report.matched), len(report.dropped)) == (240, 100)
    assert not report.missing and not report.unexpected and not report.mismatched
    x = paddle.randn([2, 3, 97, 66])
    with paddle.no_grad():
        expected, got = theirs(x)[0].numpy(), ours(x).logits.numpy()
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_paddleseg_reads_our_checkpoints(tmp_path):
    paddleseg_models = pytest.importorskip("paddleseg.models", reason="paddleseg is not installed")
    ours = randomise(PPHumanSegLite()).eval()
    paddle.save(ours.state_dict(), str(tmp_path / "model.pdparams"))
    theirs = paddleseg_models.PPHumanSegLite(num_classes=2)
    with pytest.warns(UserWarning, match="_depthwise_separable_0"):  # only what never runs is missing
        _, unexpected = theirs.set_state_dict(paddle.load(str(tmp_path / "model.pdparams")))
    assert not unexpected
    theirs.eval()
    x = paddle.randn([1, 3, 64, 64])
    with paddle.no_grad():
        np.testing.assert_allclose(theirs(x)[0].numpy(), ours(x).logits.numpy(), atol=1e-6)


@pytest.mark.parametrize("size", [(192, 192), (224, 398), (33, 50), (16, 16)])
def test_output_has_the_size_of_the_input(size):
    model = PPHumanSegLite().eval()
    with paddle.no_grad():
        assert model(paddle.randn([1, 3, *size])).logits.shape == [1, 2, *size]


def test_every_parameter_gets_a_gradient():
    model = randomise(PPHumanSegLite(in_channels=4))
    output = model(paddle.randn([2, 4, 64, 64]))
    (output.logits * paddle.randn(output.logits.shape)).sum().backward()
    trained = {name: parameter for name, parameter in model.named_parameters() if not parameter.stop_gradient}
    assert sum(parameter.size for parameter in trained.values()) == 131_766 + 36 * 9  # a fourth input channel
    without = [name for name, parameter in trained.items() if parameter.grad is None]
    assert not without


def test_as_seg_output_reads_what_paddleseg_networks_return():
    first, second = paddle.zeros([1]), paddle.ones([1])
    output = as_seg_output([first, second])
    assert output.logits is first and output.aux == (second,) and output.boundary is None
    assert as_seg_output(first).logits is first
    with pytest.raises(TypeError, match="SegOutput"):
        as_seg_output(3)
