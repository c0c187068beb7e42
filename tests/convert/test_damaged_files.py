"""Whatever is wrong with a file, the error names it and says what; nothing in a file is executed."""

from __future__ import annotations

import json
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from paddle_portrait.convert import SourceError, read_source
from paddle_portrait.errors import UserError

_W = np.ones((4, 2, 3, 3), np.float32)
_MIB = b"x" * (1 << 20)


def _fails(path: Path, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        read_source(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", ["h5", "hdf5", "tflite", "onnx", "pth", "pt", "json"])
@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"no such thing at all", _MIB, b"PK\x03\x04" + b"\x00" * 50], ids=len
)
def test_files_that_are_not_what_they_say(tmp_path, suffix, content):
    path = tmp_path / f"wéird näme.{suffix}"
    path.write_bytes(content)
    _fails(path, r"is damaged|is no |holds no ")


def test_missing_and_unknown_files(tmp_path):
    _fails(tmp_path / "absent.h5", "there is no such file")
    (tmp_path / "weights.caffemodel").write_bytes(b"x")
    _fails(tmp_path / "weights.caffemodel", r"'\.caffemodel' are not read; those are: \.h5,")
    with pytest.raises(SourceError, match=r"model\.json': there is no such file"):
        read_source(tmp_path)  # a folder is read as Paddle.js


def _h5(tiny, tmp_path):
    return tiny.h5(tmp_path / "m.h5", {"conv": {"kernel": np.ones((3, 3, 8, 8), np.float32)}}).read_bytes()


def _tflite(tiny, tmp_path):
    tensors = [
        tiny.tensor("x", [1, 8, 8, 2]),
        tiny.tensor("w", [9, 1, 1, 2], np.ones((9, 1, 1, 2), np.float32)),
        tiny.tensor("y", [1, 8, 8, 9]),
    ]
    return tiny.tflite(tensors, [tiny.operator("CONV_2D", [0, 1], [2])])


def _onnx(tiny, tmp_path):
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "g", [], [])
    graph.initializer.append(numpy_helper.from_array(_W, "w"))
    return helper.make_model(graph).SerializeToString()


@pytest.mark.parametrize("write", [_h5, _tflite, _onnx], ids=["h5", "tflite", "onnx"])
def test_truncated_files(tiny, tmp_path, write, request):
    content = write(tiny, tmp_path)
    path = tmp_path / f"cut.{request.node.callspec.id}"
    path.write_bytes(content)
    read_source(path)
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(content[: int(len(content) * share)])
        _fails(path, r"is damaged|is cut off|is no |holds no |lacks ")


@pytest.mark.parametrize("form", ["legacy_pth", "zipped_pth"])
def test_truncated_pytorch_files(request, tmp_path, form):
    content = request.getfixturevalue(form)({"conv.weight": _W, "conv.bias": np.ones(4, np.float32)})
    path = tmp_path / "cut.pth"
    for cut in (3, 60, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        _fails(path, r"is damaged|is cut off|is no ")


class _Malicious:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (open, (str(self.marker), "w"))


class _System:
    def __reduce__(self):
        import os

        return (os.system, ("touch was_here",))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_pickles_that_ask_to_run_code_are_refused(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    path, marker = tmp_path / "evil.pth", tmp_path / "was_here"
    for payload in (_Malicious(marker), _System(), {"state_dict": {"w": _System()}}):
        path.write_bytes(pickle.dumps(payload, protocol))
        _fails(path, r"refused: it asks for \w+\.\w+")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("net/data.pkl", pickle.dumps(payload, protocol))
        _fails(path, r"refused: it asks for \w+\.\w+")
    assert not marker.exists()


def test_whole_networks_are_refused_with_the_way_out(torch_names, tmp_path):
    network = type("Net", (), {"__module__": "torch"})
    sys.modules["torch"].Net = network
    (tmp_path / "m.pth").write_bytes(pickle.dumps(network(), 2))
    _fails(tmp_path / "m.pth", r"asks for torch\.Net.*state_dict\(\) alone")


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((4, 4), (4, 1), 0), ((2, 2), (100, 1), 0), ((8,), (1,), 4), ((2,), (1,), -1), ((1 << 40,), (0,), 0)],
    ids=["too many", "wide strides", "offset", "negative offset", "repeated for ever"],
)
def test_tensors_that_reach_outside_their_values(torch_names, legacy_pth, tmp_path, shape, strides, offset):
    rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2

    class _Forged:
        def __init__(self, reference):
            self.reference = reference

        def __reduce__(self):
            return rebuild, (self.reference, offset, shape, strides, False, {})

    def forge(state):
        return {"w": _Forged(next(iter(state.values())).reference)}

    content = legacy_pth({"w": np.ones(8, np.float32)}, forge)
    (tmp_path / "m.pth").write_bytes(content)
    _fails(tmp_path / "m.pth", "is damaged: ")


@pytest.mark.parametrize("found", [[1, 2], "text", {"epoch": 3}, {}], ids=repr)
def test_pytorch_files_without_tensors(legacy_pth, tmp_path, found):
    (tmp_path / "m.pth").write_bytes(legacy_pth({}, lambda _: found))
    _fails(tmp_path / "m.pth", r"holds (no tensors|a (list|str))")


def test_h5_files_of_others_and_with_links(tiny, tmp_path):
    import h5py

    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.ones(3)
    _fails(tmp_path / "other.h5", "not one of Keras")

    secret = tiny.h5(tmp_path / "secret.h5", {"conv": {"kernel": _W}})
    for number, link in enumerate((h5py.ExternalLink(str(secret), "/conv/conv/kernel:0"), h5py.SoftLink("/conv"))):
        path = tiny.h5(tmp_path / f"linked{number}.h5", {"conv": {"kernel": _W}})
        with h5py.File(path, "a") as file:
            del file["conv/conv/kernel:0"]
            file["conv/conv/kernel:0"] = link
        _fails(path, r"'kernel:0'|'conv/kernel:0' is a link to somewhere else: refused")

    path = tiny.h5(tmp_path / "outside.h5", {"conv": {"kernel": _W}})
    (tmp_path / "raw.bin").write_bytes(_W.tobytes())
    with h5py.File(path, "a") as file:
        del file["conv/conv/kernel:0"]
        external = [(str(tmp_path / "raw.bin"), 0, _W.nbytes)]
        file["conv/conv"].create_dataset("kernel:0", _W.shape, _W.dtype, external=external)
    _fails(path, "kept in another file: refused")


def test_h5_layers_of_unknown_kinds(tiny, tmp_path):
    _fails(tiny.h5(tmp_path / "m.h5", {"lstm": {"recurrent_kernel": _W}}), "layer 'lstm' holds recurrent_kernel")
    _fails(tiny.h5(tmp_path / "m.h5", {"pool": {}}), "holds no layer with values")


def test_onnx_with_values_elsewhere(tmp_path):
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "g", [], [])
    tensor = graph.initializer.add(name="w", dims=[1], data_type=onnx.TensorProto.FLOAT)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    (tmp_path / "m.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    _fails(tmp_path / "m.onnx", "'w' is kept in another file")


def test_onnx_with_computed_weights(tmp_path):
    nodes = [helper.make_node("Relu", ["x"], ["w"]), helper.make_node("Conv", ["x", "w"], ["y"], "c1")]
    (tmp_path / "m.onnx").write_bytes(helper.make_model(helper.make_graph(nodes, "g", [], [])).SerializeToString())
    _fails(tmp_path / "m.onnx", "input 1 of Conv 'c1' is computed in the graph")


def test_tflite_with_wrong_shapes_and_offsets(tiny, tmp_path):
    path = tmp_path / "m.tflite"
    tensors = [
        tiny.tensor("x", [1, 8, 8, 2]),
        tiny.tensor("w", [9, 1, 1, 3], np.ones((9, 1, 1, 2), np.float32)),
        tiny.tensor("y", [1, 8, 8, 9]),
    ]
    path.write_bytes(tiny.tflite(tensors, [tiny.operator("CONV_2D", [0, 1], [2])]))
    _fails(path, r"'w' has shape \[9, 1, 1, 3\] of float32, but 72 bytes: damaged")

    tensors[1] = tiny.tensor("w", [18], np.ones(18, np.float32))
    path.write_bytes(tiny.tflite(tensors, [tiny.operator("CONV_2D", [0, 1], [2])]))
    _fails(path, r"'w' has shape \[18\]: damaged")

    path.write_bytes(tiny.tflite(tensors, [tiny.operator("CONV_2D", [1, 0], [2])]))
    _fails(path, "'x', a weight of CONV_2D, is computed in the graph")

    path.write_bytes(tiny.tflite(tensors, [tiny.operator("CONV_2D", [0, 77], [2])]))
    _fails(path, "is damaged")


def test_tflite_whose_buffers_point_elsewhere(tiny, tmp_path):
    """Every four bytes in turn become a huge offset: a clean error, or values that are still whole."""
    content = bytearray(_tflite(tiny, tmp_path))
    path = tmp_path / "m.tflite"
    refused = 0
    for position in range(0, len(content) - 4, 4):
        forged = bytes(content[:position]) + struct.pack("<I", 0x7FFFFF00) + bytes(content[position + 4 :])
        path.write_bytes(forged)
        try:
            read_source(path)
        except UserError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 20


def _paddlejs_operators(name="w"):
    return [{"type": "conv2d", "inputs": {"Input": ["x"], "Filter": [name]}, "outputs": {"Output": ["y"]}}]


def test_paddlejs_chunks_and_variables(tiny, tmp_path):
    path = tiny.paddlejs(tmp_path, {"w": _W}, _paddlejs_operators(), chunks=3)
    read_source(path)
    (tmp_path / "chunk_3.dat").write_bytes((tmp_path / "chunk_3.dat").read_bytes()[:-8])
    _fails(path, "variables take 72 values, its chunks hold 70")
    (tmp_path / "chunk_2.dat").unlink()
    _fails(path, r"without a gap; found: chunk_1\.dat, chunk_3\.dat")
    for chunk in tmp_path.glob("chunk_*"):
        chunk.unlink()
    _fails(path, "without a gap; found: none")
    path.write_text(json.dumps([1]), encoding="utf-8")
    _fails(path, "is no Paddle.js model")
    _fails(tiny.paddlejs(tmp_path, {"w": _W}, _paddlejs_operators("v")), "'v', the Filter of a conv2d, is not among")


def test_values_that_are_no_numbers(tiny, tmp_path):
    broken = _W.copy()
    broken[1, 1, 1, 1] = np.nan
    _fails(tiny.h5(tmp_path / "m.h5", {"c": {"kernel": broken}}), "conv 'c' holds values that are no numbers in its w")
