"""Weight files are read, never executed; what did not load is said."""

import pickle

import numpy as np
import paddle
import pytest

from paddle_portrait.errors import UserError
from paddle_portrait.models import PPHumanSegLite, load_weights, read_weights


class _Malicious:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (open, (str(self.marker), "w"))


def test_reads_what_paddle_saves(tmp_path):
    path = tmp_path / "w.pdparams"
    paddle.save({"a": paddle.to_tensor([[1.5, 2.0]]), "b": paddle.to_tensor([3], dtype="int64")}, str(path))
    arrays = read_weights(path)
    assert set(arrays) == {"a", "b"}
    np.testing.assert_array_equal(arrays["a"], np.float32([[1.5, 2.0]]))
    assert arrays["b"].dtype == np.int64


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_reads_older_pickles(tmp_path, protocol):
    path = tmp_path / "w.pdparams"
    path.write_bytes(pickle.dumps({"a": np.arange(6, dtype=np.float32).reshape(2, 3)}, protocol=protocol))
    np.testing.assert_array_equal(read_weights(path)["a"], np.arange(6).reshape(2, 3))


def test_a_malicious_file_is_refused_and_does_nothing(tmp_path):
    path, marker = tmp_path / "evil.pdparams", tmp_path / "was_here"
    path.write_bytes(pickle.dumps({"a": _Malicious(marker)}))
    with pytest.raises(UserError, match=r"refused weights .*open"):
        read_weights(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged"),
        (b"not a pickle at all", "damaged"),
        (pickle.dumps({"a": np.zeros(1000, np.float32)})[:-500], "damaged"),
        (pickle.dumps([1, 2, 3]), "hold a list, not a state dict"),
    ],
)
def test_damaged_files_say_so(tmp_path, content, message):
    path = tmp_path / "w.pdparams"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_weights(path)


def test_a_file_that_fits_nothing_is_refused(tmp_path):
    path = tmp_path / "other.pdparams"
    paddle.save({"encoder.weight": paddle.zeros([3])}, str(path))
    with pytest.raises(UserError, match="none of their 1 keys matches"):
        load_weights(PPHumanSegLite(), path)


def test_missing_file_and_folder_name_what_is_wanted(tmp_path):
    with pytest.raises(UserError, match=r"model\.pdparams"):
        load_weights(PPHumanSegLite(), tmp_path)
    with pytest.raises(UserError, match="no weights at"):
        load_weights(PPHumanSegLite(), tmp_path / "absent.pdparams")


def test_the_report_names_missing_unexpected_and_mismatched_keys(tmp_path):
    model = PPHumanSegLite()
    state = dict(model.state_dict())
    state.pop("conv_bn1._conv.weight")
    state["conv_bn0._conv.weight"] = paddle.zeros([36, 4, 3, 3])
    state["extra"] = paddle.zeros([1])
    paddle.save(state, str(tmp_path / "w.pdparams"))
    before = model.conv_bn0._conv.weight.numpy().copy()
    report = load_weights(model, tmp_path / "w.pdparams")
    assert report.missing == ["conv_bn1._conv.weight"]
    assert report.unexpected == ["extra"]
    assert report.mismatched == ["conv_bn0._conv.weight [36, 4, 3, 3] for [36, 3, 3, 3]"]
    assert len(report.matched) == 238
    np.testing.assert_array_equal(model.conv_bn0._conv.weight.numpy(), before)
