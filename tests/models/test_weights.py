"""Weight files are read, never executed; what did not load is said."""

import pickle

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.models import PPHumanSegLite, load_weights, read_weights
from paddle_portrait.models.weights import save_weights


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
    state["conv_bn0._conv.weight"] = paddle.zeros([36, 5, 3, 3])
    state["extra"] = paddle.zeros([1])
    paddle.save(state, str(tmp_path / "w.pdparams"))
    before = model.conv_bn0._conv.weight.numpy().copy()
    report = load_weights(model, tmp_path / "w.pdparams")
    assert report.missing == ["conv_bn1._conv.weight"]
    assert report.unexpected == ["extra"]
    assert report.mismatched == ["conv_bn0._conv.weight [36, 5, 3, 3] for [36, 3, 3, 3]"]
    assert len(report.matched) == 238
    np.testing.assert_array_equal(model.conv_bn0._conv.weight.numpy(), before)


class _Tiny(nn.Layer):
    """Two convolutions: the image's, and the one that ends in classes."""

    def __init__(self, in_channels, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.stem = nn.Conv2D(in_channels, 2, 1, bias_attr=False)
        self.head = nn.Conv2D(2, num_classes, 1)


_STEM = np.float32([[1, 2, 3], [4, 5, 7]]).reshape(2, 3, 1, 1)


@pytest.mark.parametrize(
    ("in_channels", "expected"), [(4, [[1, 2, 3, 0], [4, 5, 7, 0]]), (1, [[6], [16]])], ids=["previous mask", "grey"]
)
def test_a_first_convolution_is_resized_for_other_channels_of_the_input(tmp_path, in_channels, expected):
    model = _Tiny(in_channels, 2)
    state = {"stem.weight": _STEM, "head.weight": np.ones((2, 2, 1, 1)), "head.bias": np.zeros(2)}
    paddle.save(state, str(tmp_path / "w.pdparams"))
    report = load_weights(model, tmp_path / "w.pdparams")
    assert report.resized == [f"stem.weight [2, 3, 1, 1] for [2, {in_channels}, 1, 1]"]
    assert report.matched == ["head.weight", "head.bias"] and not report.new and not report.mismatched
    np.testing.assert_array_equal(model.stem.weight.numpy()[:, :, 0, 0], expected)


@pytest.mark.parametrize("num_classes", [1, 3])
def test_a_last_layer_of_other_classes_stays_new(tmp_path, num_classes):
    model = _Tiny(3, num_classes)
    before = model.head.weight.numpy().copy()
    state = {"stem.weight": _STEM, "head.weight": np.ones((2, 2, 1, 1)), "head.bias": np.zeros(2)}
    paddle.save(state, str(tmp_path / "w.pdparams"))
    report = load_weights(model, tmp_path / "w.pdparams")
    assert report.matched == ["stem.weight"]
    assert report.new == [
        f"head.weight [2, 2, 1, 1] for [{num_classes}, 2, 1, 1]",
        f"head.bias [2] for [{num_classes}]",
    ]
    assert len(report.differences) == 2 and "2 new (head.weight" in report.summary()
    np.testing.assert_array_equal(model.head.weight.numpy(), before)


def test_a_fourth_channel_of_zeros_answers_as_before_until_it_is_trained(tmp_path):
    paddle.seed(3)
    picture, video = PPHumanSegLite().eval(), PPHumanSegLite(in_channels=4).eval()
    paddle.save(picture.state_dict(), str(tmp_path / "w.pdparams"))
    assert len(load_weights(video, tmp_path / "w.pdparams").resized) == 1
    image, mask = paddle.rand([1, 3, 64, 64]), paddle.rand([1, 1, 64, 64])
    answer = video(paddle.concat([image, mask], axis=1)).logits
    np.testing.assert_allclose(answer.numpy(), picture(image).logits.numpy(), atol=1e-5)


def test_large_files_are_compressed_and_read_back(tmp_path):
    arrays = {"weight": np.tile(np.arange(50, dtype=np.float32), (40, 1)), "bias": np.ones(3, np.float32)}
    plain, small = tmp_path / "plain.pdparams", tmp_path / "small.pdparams"
    save_weights(arrays, plain, largest=1_000_000)
    save_weights(arrays, small, largest=1_000)
    assert plain.read_bytes()[:2] != b"\x1f\x8b" and small.stat().st_size < plain.stat().st_size / 10
    for path in (plain, small):
        read = read_weights(path)
        assert {name: array.tolist() for name, array in read.items()} == {n: a.tolist() for n, a in arrays.items()}
    again = tmp_path / "again.pdparams"
    save_weights(arrays, again, largest=1_000)
    assert again.read_bytes() == small.read_bytes()


def test_a_damaged_compressed_file_is_a_users_error(tmp_path):
    path = tmp_path / "model.pdparams"
    save_weights({"weight": np.zeros((100, 100), np.float32)}, path, largest=10)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="damaged"):
        read_weights(path)
