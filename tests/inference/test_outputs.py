"""Reading a graph's output: what it is, and the person in it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from paddle_portrait.errors import UserError
from paddle_portrait.inference.outputs import guess_output_op, person_probability

RNG = np.random.default_rng(0)
LOGITS = {classes: RNG.normal(0, 4, (2, classes, 5, 6)).astype(np.float32) for classes in (1, 2, 3, 5)}


@pytest.mark.parametrize("classes", LOGITS)
def test_person_of_logits(classes):
    logits = LOGITS[classes]
    expected = expit(logits[:, 0]) if classes == 1 else 1 - softmax(logits.astype(np.float64), axis=1)[:, 0]
    found = person_probability(logits, "none")
    assert (found.dtype, found.shape) == (np.float32, (2, 5, 6))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_person_of_extreme_logits_is_finite():
    for classes in (1, 2, 3):
        logits = np.zeros((1, classes, 1, 2), np.float32)
        logits[0, -1, 0] = (-1e30, 1e30)
        with np.errstate(all="raise", under="ignore"):
            found = person_probability(logits, "none")[0, 0]
        np.testing.assert_allclose(found, [0.5 if classes == 3 else 0, 1], atol=1e-6)


def test_person_of_other_outputs():
    two, three = softmax(LOGITS[2], axis=1), softmax(LOGITS[3], axis=1)
    np.testing.assert_array_equal(person_probability(two, "softmax"), two[:, 1])
    np.testing.assert_allclose(person_probability(three, "softmax"), three[:, 1] + three[:, 2], atol=1e-6)
    np.testing.assert_array_equal(person_probability(two[:, 1:], "sigmoid"), two[:, 1])
    classes = LOGITS[3].argmax(axis=1)
    for labels in (classes, classes[:, None].astype(np.int32)):
        np.testing.assert_array_equal(person_probability(labels, "argmax"), (classes != 0).astype(np.float32))


@pytest.mark.parametrize(
    ("output", "output_op"),
    [
        (np.zeros((1, 2, 4, 4), np.float32), "argmax"),
        (np.zeros((1, 4, 4), np.int64), "softmax"),
        (np.zeros((1, 4, 4), np.float32), "sigmoid"),
        (np.zeros((4, 4), np.int32), "argmax"),
    ],
)
def test_an_output_that_is_not_what_was_declared(output, output_op):
    with pytest.raises(UserError, match=f"not a result of '{output_op}'"):
        person_probability(output, output_op)


@pytest.mark.parametrize(
    ("outputs", "guess"),
    [
        ([softmax(LOGITS[2], axis=1)], "softmax"),
        ([softmax(LOGITS[5], axis=1)], "softmax"),
        ([expit(LOGITS[1])], "sigmoid"),
        ([LOGITS[1]], "none"),
        ([LOGITS[2]], "none"),
        ([np.maximum(LOGITS[2], 0)], "none"),
        ([np.full((1, 2, 3, 3), 0.4, np.float32)], "none"),
        ([expit(LOGITS[1]) * 0.9, LOGITS[1]], "none"),
        ([LOGITS[2].argmax(1)], "argmax"),
        ([LOGITS[2].argmax(1, keepdims=True).astype(np.int32)], "argmax"),
    ],
)
def test_guess(outputs, guess):
    assert guess_output_op(outputs) == guess
