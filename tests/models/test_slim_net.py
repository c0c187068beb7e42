"""Slim-Net without some of its blocks: the others keep their names, so released weights fit."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from paddle_portrait.errors import UserError
from paddle_portrait.models.slim_net import SlimNet


def test_a_whole_networks_weights_fit_one_without_some_blocks() -> None:
    whole, shorter = SlimNet(), SlimNet(skipped=[1, 5])
    given = whole.state_dict()
    kept = shorter.state_dict()
    assert set(kept) == {name for name in given if not name.startswith(("stage32.1.", "stage32.5."))}
    assert all(kept[name].shape == given[name].shape for name in kept)


def test_a_left_out_block_passes_its_input_on() -> None:
    paddle.seed(0)
    whole, shorter = SlimNet(), SlimNet(skipped=[12])
    shorter.set_state_dict({name: value for name, value in whole.state_dict().items() if "stage32.12." not in name})
    last = whole.stage32[12]
    last.leave.weight.set_value(paddle.zeros_like(last.leave.weight))
    last.act._weight.set_value(paddle.ones_like(last.act._weight))
    x = paddle.rand([1, 3, 64, 64])
    np.testing.assert_array_equal(whole(x).logits.numpy(), shorter(x).logits.numpy())


@pytest.mark.parametrize("index", [13, -1, "one"])
def test_a_block_that_there_is_not_is_refused(index: object) -> None:
    with pytest.raises(UserError, match="0 to 12"):
        SlimNet(skipped=[index])  # type: ignore[list-item]
