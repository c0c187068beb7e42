"""Flags, config and transforms settle what is exported, or are refused."""

from __future__ import annotations

import pytest

from paddle_portrait.errors import UserError
from paddle_portrait.export.choices import settle_input_shape, settle_output_op
from paddle_portrait.export.targets import check_formats
from paddle_portrait.export.transforms import fit_transforms

RESIZE = {"type": "Resize", "target_size": [48, 64]}
NORMALIZE = {"type": "Normalize"}


@pytest.mark.parametrize(
    ("given", "settled"),
    [
        ({}, "argmax"),
        ({"configured": "softmax"}, "softmax"),
        ({"with_softmax": True}, "softmax"),
        ({"with_softmax": True, "without_argmax": True}, "softmax"),
        ({"without_argmax": True}, "none"),
        ({"without_argmax": True, "configured": "softmax"}, "none"),
        ({"output_op": "none", "configured": "softmax"}, "none"),
        ({"output_op": "softmax", "with_softmax": True, "without_argmax": True}, "softmax"),
        ({"output_op": "sigmoid", "without_argmax": True}, "sigmoid"),
        ({"with_softmax": True, "person_only": True}, "sigmoid"),
    ],
)
def test_output_op(given, settled):
    assert settle_output_op(**given) == settled


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"output_op": "sofmax"}, "Did you mean 'softmax'"),
        ({"configured": "max"}, "unknown output_op 'max'"),
        ({"output_op": "argmax", "with_softmax": True}, "contradicts --with_softmax"),
        ({"output_op": "none", "with_softmax": True}, "contradicts --with_softmax"),
        ({"output_op": "argmax", "without_argmax": True}, "contradicts --without_argmax"),
        ({"person_only": True}, "person_only needs probabilities"),
    ],
)
def test_output_op_refused(given, complaint):
    with pytest.raises(UserError, match=complaint):
        settle_output_op(**given)


@pytest.mark.parametrize(
    ("given", "fixed_hw", "settled"),
    [
        (None, (64, 48), (1, 3, 64, 48)),
        (None, None, (-1, 3, -1, -1)),
        ((224, 398), (64, 48), (1, 3, 224, 398)),
        ((-1, -1), (64, 48), (-1, 3, -1, -1)),
        ((2, 3, 64, 48), None, (2, 3, 64, 48)),
        ((-1, -1, 64, 48), None, (-1, 3, 64, 48)),
    ],
)
def test_input_shape(given, fixed_hw, settled):
    assert settle_input_shape(given, fixed_hw, 3) == settled


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ((64,), "give 'H W' or 'N C H W'"),
        ((3, 64, 48), "give 'H W' or 'N C H W'"),
        ((0, 48), "whole numbers from 1 on"),
        ((64.0, 48), "whole numbers from 1 on"),
        ((1, 4, 64, 48), "takes 3 channels, not 4"),
    ],
)
def test_input_shape_refused(given, complaint):
    with pytest.raises(UserError, match=complaint):
        settle_input_shape(given, None, 3)


@pytest.mark.parametrize(
    ("transforms", "shape", "first"),
    [
        ([RESIZE, NORMALIZE], (1, 3, 64, 48), RESIZE),
        ([RESIZE, NORMALIZE], (-1, 3, -1, -1), RESIZE),
        ([RESIZE, NORMALIZE], (1, 3, 96, 32), {"type": "Resize", "target_size": [32, 96]}),
        ([NORMALIZE], (1, 3, 96, 32), {"type": "Resize", "target_size": [32, 96]}),
        ([NORMALIZE], (-1, 3, -1, -1), NORMALIZE),
    ],
)
def test_transforms_end_in_the_size_of_the_graph(transforms, shape, first):
    assert fit_transforms(transforms, shape)[0] == first


def test_transforms_that_cannot_be_fitted():
    padded = [{"type": "ResizeByLong", "long_size": 64}, {"type": "Padding", "target_size": [64, 64]}, NORMALIZE]
    assert fit_transforms(padded, (1, 3, 64, 64)) == padded
    with pytest.raises(UserError, match="ResizeByLong, Padding"):
        fit_transforms(padded, (1, 3, 96, 96))


@pytest.mark.parametrize(
    ("formats", "complaint"),
    [
        (["onxx"], "unknown export format 'onxx'. Did you mean 'onnx'"),
        ([], "no export format"),
        (["onnx", "paddle", "onnx"], "named twice"),
    ],
)
def test_formats_refused(formats, complaint):
    with pytest.raises(UserError, match=complaint):
        check_formats(formats)
