"""HumanSeg-Lite of 2020 shares its trunk with PP-HumanSeg-Lite, and nothing of the head."""

import numpy as np
import paddle

from paddle_portrait.models import HumanSegLite2020, PPHumanSegLite, load_weights


def test_it_holds_the_number_of_values_of_the_released_file():
    assert sum(value.size for value in HumanSegLite2020().state_dict().values()) == 137_012


def test_its_trunk_goes_over_into_pp_humanseg_lite(tmp_path):
    old = HumanSegLite2020().eval()
    paddle.save(old.state_dict(), str(tmp_path / "model.pdparams"))
    new = PPHumanSegLite(align_corners=True).eval()
    report = load_weights(new, tmp_path / "model.pdparams")
    head = ("depthwise_separable2.",)
    assert all(name.startswith(head) for name in [*report.missing, *report.unexpected])
    convolutions = [name for name in report.matched if name.endswith("_conv.weight")]
    assert len(convolutions) == 46
    x = paddle.randn([1, 3, 64, 96])
    with paddle.no_grad():
        np.testing.assert_array_equal(new.features(x).numpy(), old.features(x).numpy())


def test_logits_take_both_signs_and_odd_sizes_come_back():
    with paddle.no_grad():
        logits = HumanSegLite2020().eval()(paddle.randn([1, 3, 33, 50])).logits
    assert logits.shape == [1, 2, 33, 50]
    assert float(logits.min()) < 0 < float(logits.max())
