"""A teacher that is an export says what its Predictor says, mirrored where that was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_portrait.data.synthesis import render_portrait
from paddle_portrait.engine.exported_teacher import ExportedTeacher
from paddle_portrait.errors import UserError
from paddle_portrait.inference import Predictor
from paddle_portrait.losses import DistillationLoss
from paddle_portrait.registry import LOSSES

NAME = "mediapipe_selfie_general"  # its export is in the repository
PORTRAITS = np.stack([render_portrait(seed, (96, 96))[0] for seed in (1, 2)])


def test_it_says_what_the_predictor_says() -> None:
    answer = ExportedTeacher(NAME)(PORTRAITS)
    predictor = Predictor.load(NAME, "onnx", threads=1)
    assert answer.dtype == np.float32
    np.testing.assert_array_equal(answer, np.stack([predictor(picture) for picture in PORTRAITS]))


def test_mirrored_it_says_the_same_of_the_mirror_image() -> None:
    teacher = ExportedTeacher(NAME, flip=True)
    answer, turned = teacher(PORTRAITS), teacher(np.ascontiguousarray(PORTRAITS[:, :, ::-1]))
    np.testing.assert_allclose(answer, turned[:, :, ::-1], atol=1e-6)
    assert np.abs(answer - ExportedTeacher(NAME)(PORTRAITS)).max() > 0.01


def test_yaml_names_it() -> None:
    loss = LOSSES.build("DistillationLoss", teachers=[{"type": "ExportedTeacher", "export": NAME}])
    assert isinstance(loss, DistillationLoss) and isinstance(loss.teachers[0], ExportedTeacher)


def test_a_name_that_is_no_export_is_said() -> None:
    with pytest.raises(UserError, match="nobody_trained_this"):
        ExportedTeacher("nobody_trained_this")
