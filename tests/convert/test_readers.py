"""Each format's values arrive in Paddle's layout; hand-made files, and released ones that hold the same network."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from paddle_portrait.convert import read_source


def _numbers(*shape):
    return np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)


def test_keras_layouts(tiny, tmp_path):
    layers = {
        "conv2d": {"kernel": _numbers(3, 2, 4, 5), "bias": _numbers(5)},
        "up": {"kernel": _numbers(2, 2, 7, 5)},
        "dw": {"depthwise_kernel": _numbers(3, 3, 4, 1)},
        "sep": {
            "depthwise_kernel": _numbers(3, 3, 4, 1),
            "pointwise_kernel": _numbers(1, 1, 4, 6),
            "bias": _numbers(6),
        },
        "act": {"alpha": _numbers(1, 1, 6)},
        "bn": {"beta": _numbers(6), "moving_mean": _numbers(6), "moving_variance": _numbers(6)},
        "dense": {"kernel": _numbers(6, 2)},
        "pool": {},
    }
    configs = [{"class_name": "X", "config": {"name": name}} for name in layers]
    configs[1]["class_name"], configs[5]["config"]["epsilon"] = "Conv2DTranspose", 0.25
    source = read_source(tiny.h5(tmp_path / "m.h5", layers, {"config": {"layers": configs}}))
    assert [(layer.kind, layer.name) for layer in source.layers] == [
        ("conv", "conv2d"),
        ("deconv", "up"),
        ("depthwise", "dw"),
        ("depthwise", "sep/depthwise"),
        ("conv", "sep/pointwise"),
        ("prelu", "act"),
        ("batch_norm", "bn"),
        ("linear", "dense"),
    ]
    conv, up, depthwise, _, pointwise, act, norm, dense = (layer.arrays for layer in source.layers)
    kernel = layers["conv2d"]["kernel"]
    assert conv["weight"].shape == (5, 4, 3, 2) and conv["weight"][4, 3, 2, 1] == kernel[2, 1, 3, 4]
    assert conv["weight"].dtype == np.float32 and conv["weight"].flags.c_contiguous
    assert up["weight"].shape == (5, 7, 2, 2)
    assert up["weight"][4, 6, 1, 0] == layers["up"]["kernel"][1, 0, 6, 4]
    assert depthwise["weight"].shape == (4, 1, 3, 3)
    assert depthwise["weight"][3, 0, 2, 1] == layers["dw"]["depthwise_kernel"][2, 1, 3, 0]
    assert pointwise["weight"].shape == (6, 4, 1, 1) and pointwise["bias"].shape == (6,)
    assert act["weight"].tolist() == [1, 2, 3, 4, 5, 6]
    assert norm["weight"].tolist() == [1] * 6  # scale=False
    assert source.layers[6].attributes == {"epsilon": 0.25}
    assert dense["weight"].shape == (6, 2)


def test_keras_weights_alone_tell_transposed_convolutions_by_their_name(tiny, tmp_path):
    layers = {"conv2d_transpose_3": {"kernel": _numbers(2, 2, 7, 5)}, "conv2d_9": {"kernel": _numbers(2, 2, 7, 5)}}
    source = read_source(tiny.h5(tmp_path / "w.h5", layers))
    assert [(layer.kind, layer.arrays["weight"].shape) for layer in source.layers] == [
        ("deconv", (5, 7, 2, 2)),
        ("conv", (5, 7, 2, 2)),
    ]


def _tflite(tiny, tmp_path, tensors, operators):
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny.tflite(tensors, operators))
    return read_source(path)


def test_tflite_layouts(tiny, tmp_path):
    tensor, operator = tiny.tensor, tiny.operator
    tensors = [
        tensor("x", [1, 8, 8, 2]),
        tensor("conv_w", [5, 3, 2, 2], _numbers(5, 3, 2, 2)),
        tensor("conv_b", [5], _numbers(5)),
        tensor("a", [1, 8, 8, 5]),
        tensor("dw_w", [1, 3, 3, 5], _numbers(1, 3, 3, 5)),
        tensor("b", [1, 8, 8, 5]),
        tensor("alpha", [1, 1, 5], _numbers(1, 1, 5)),
        tensor("c", [1, 8, 8, 5]),
        tensor("shape", [4], np.array([1, 16, 16, 7], np.int32)),
        tensor("up_w", [7, 2, 2, 5], _numbers(7, 2, 2, 5)),
        tensor("d", [1, 16, 16, 7]),
        tensor("up_b", [7], _numbers(7)),
        tensor("e", [1, 16, 16, 7]),
        tensor("fc_w", [3, 7], _numbers(3, 7)),
        tensor("f", [1, 3]),
        tensor("mp_w", [2, 2, 2, 7], _numbers(2, 2, 2, 7)),
        tensor("mp_b", [2], _numbers(2)),
        tensor("g", [1, 32, 32, 2]),
    ]
    operators = [
        operator("CONV_2D", [0, 1, 2], [3]),
        operator("DEPTHWISE_CONV_2D", [3, 4, -1], [5]),
        operator("PRELU", [5, 6], [7]),
        operator("TRANSPOSE_CONV", [8, 9, 7], [10]),
        operator("ADD", [10, 11], [12]),  # the bias of the line above
        operator("FULLY_CONNECTED", [12, 13], [14]),
        operator("CUSTOM", [12, 15, 16], [17], "Convolution2DTransposeBias"),
        operator("CUSTOM", [17], [17], "MaxUnpool"),
    ]
    source = _tflite(tiny, tmp_path, tensors, operators)
    assert [(layer.kind, layer.name, list(layer.arrays)) for layer in source.layers] == [
        ("conv", "conv_w", ["weight", "bias"]),
        ("depthwise", "dw_w", ["weight"]),
        ("prelu", "alpha", ["weight"]),
        ("deconv", "up_w", ["weight", "bias"]),
        ("linear", "fc_w", ["weight"]),
        ("deconv", "mp_w", ["weight", "bias"]),
    ]
    conv, depthwise, prelu, up, dense, custom = (layer.arrays["weight"] for layer in source.layers)
    assert conv.shape == (5, 2, 3, 2) and conv[4, 1, 2, 0] == tensors[1].values[4, 2, 0, 1]
    assert depthwise.shape == (5, 1, 3, 3) and depthwise[4, 0, 2, 1] == tensors[4].values[0, 2, 1, 4]
    assert prelu.tolist() == [1, 2, 3, 4, 5]
    assert up.shape == (5, 7, 2, 2) and up[4, 6, 1, 0] == tensors[9].values[6, 1, 0, 4]
    assert source.layers[3].arrays["bias"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert dense.shape == (7, 3) and dense[6, 2] == tensors[13].values[2, 6]
    assert custom.shape == (7, 2, 2, 2)


_Q = np.array([[-128], [0], [5], [127]], np.int8).reshape(4, 1, 1, 1)


@pytest.mark.parametrize(
    ("values", "scale", "zero_point", "expected"),
    [
        (_Q, [0.5], [-3], [-62.5, 1.5, 4.0, 65.0]),
        (_Q, [0.5, 1.0, 2.0, 4.0], [0, 0, 1, 27], [-64.0, 0.0, 8.0, 400.0]),
        (_Q, [0.0, 1.0, np.nan, np.inf], [0, 0, 0, 0], [0.0, 0.0, 0.0, 0.0]),
        (_Q, [0.5, 1.0, 2.0, 4.0], [], [-64.0, 0.0, 10.0, 508.0]),
        (_Q.astype(np.float16) / 4, [], [], [-32.0, 0.0, 1.25, 31.75]),
    ],
    ids=["per tensor", "per channel", "dead channels", "no zero point", "float16"],
)
@pytest.mark.parametrize("behind_operator", [False, True], ids=["direct", "behind DEQUANTIZE"])
def test_tflite_dequantises(tiny, tmp_path, values, scale, zero_point, expected, behind_operator):
    tensors = [
        tiny.tensor("x", [1, 8, 8, 1]),
        tiny.tensor("w", [4, 1, 1, 1], values, scale, zero_point),
        tiny.tensor("w_float", [4, 1, 1, 1]),
        tiny.tensor("y", [1, 8, 8, 4]),
    ]
    operators = [tiny.operator("CONV_2D", [0, 1], [3])]
    if behind_operator:
        operators = [tiny.operator("DEQUANTIZE", [1], [2]), tiny.operator("CONV_2D", [0, 2], [3])]
    source = _tflite(tiny, tmp_path, tensors, operators)
    assert source.layers[0].arrays["weight"].ravel().tolist() == expected
    assert source.tensors["w"].ravel().tolist() == expected


def test_tflite_dequantises_along_the_channels_of_depthwise_kernels(tiny, tmp_path):
    values = np.ones((1, 1, 1, 2), np.int8)
    tensors = [
        tiny.tensor("x", [1, 8, 8, 2]),
        tiny.tensor("w", [1, 1, 1, 2], values, [0.5, 2.0], [0, 0], axis=3),
        tiny.tensor("y", [1, 8, 8, 2]),
    ]
    source = _tflite(tiny, tmp_path, tensors, [tiny.operator("DEPTHWISE_CONV_2D", [0, 1], [2])])
    assert source.layers[0].arrays["weight"].ravel().tolist() == [0.5, 2.0]


def test_onnx_layouts(tmp_path):
    constants = {
        "w": _numbers(6, 2, 3, 3),
        "dw": _numbers(6, 1, 3, 3),
        "gamma": _numbers(6),
        "slope": _numbers(6, 1, 1),
        "up": _numbers(6, 3, 2, 2).astype(np.float16),
        "late": _numbers(1, 3, 1, 1),
        "fc": _numbers(4, 3),
        "fc_b": _numbers(4),
        "mm": _numbers(4, 2),
    }
    nodes = [
        helper.make_node("Constant", [], ["dw"], value=numpy_helper.from_array(constants.pop("dw"))),
        helper.make_node("Conv", ["x", "w"], ["a"], "grouped", group=2),
        helper.make_node("Conv", ["a", "dw"], ["b"], "depthwise", group=6),
        helper.make_node("BatchNormalization", ["b", *["gamma"] * 4], ["c"], "bn", epsilon=0.125),
        helper.make_node("PRelu", ["c", "slope"], ["d"], "act"),
        helper.make_node("ConvTranspose", ["d", "up"], ["e"], "up"),
        helper.make_node("Add", ["late", "e"], ["f"], "late_bias"),
        helper.make_node("Gemm", ["f", "fc", "fc_b"], ["g"], "fc", transB=1),
        helper.make_node("MatMul", ["g", "mm"], ["h"], "mm"),
        helper.make_node("MatMul", ["h", "h"], ["y"], "attention"),
    ]
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [], [], tensors)), tmp_path / "m.onnx")
    source = read_source(tmp_path / "m.onnx")
    assert [(layer.kind, layer.name, {k: v.shape for k, v in layer.arrays.items()}) for layer in source.layers] == [
        ("conv", "grouped", {"weight": (6, 2, 3, 3)}),
        ("depthwise", "depthwise", {"weight": (6, 1, 3, 3)}),
        ("batch_norm", "bn", {"weight": (6,), "bias": (6,), "_mean": (6,), "_variance": (6,)}),
        ("prelu", "act", {"weight": (6,)}),
        ("deconv", "up", {"weight": (6, 3, 2, 2), "bias": (3,)}),
        ("linear", "fc", {"weight": (3, 4), "bias": (4,)}),
        ("linear", "mm", {"weight": (4, 2)}),
    ]
    assert source.layers[2].attributes == {"epsilon": 0.125}
    assert source.layers[4].arrays["weight"].dtype == np.float32
    assert source.layers[5].arrays["weight"][2, 3] == constants["fc"][3, 2]


_STATE = {
    "conv.weight": _numbers(4, 2, 3, 3),
    "bn.weight": _numbers(4),
    "bn.bias": _numbers(4),
    "bn.running_mean": _numbers(4),
    "bn.running_var": _numbers(4),
    "bn.num_batches_tracked": np.array([7], np.int64),
    "fc.weight": _numbers(3, 4),
    "fc.bias": _numbers(3),
}


@pytest.mark.parametrize("form", ["legacy_pth", "zipped_pth"])
def test_pytorch_without_pytorch(request, tmp_path, form):
    (tmp_path / "m.pth").write_bytes(request.getfixturevalue(form)(_STATE))
    source = read_source(tmp_path / "m.pth")
    assert [(layer.kind, layer.name, list(layer.arrays)) for layer in source.layers] == [
        ("conv", "conv", ["weight"]),
        ("batch_norm", "bn", ["weight", "bias", "_mean", "_variance"]),
        ("linear", "fc", ["weight", "bias"]),
    ]
    assert source.named_arrays()["fc.weight"].shape == (4, 3)
    assert list(source.tensors) == list(_STATE)
    for name, array in _STATE.items():
        np.testing.assert_array_equal(source.tensors[name], array)


def test_pytorch_training_checkpoints_are_unwrapped(legacy_pth, tmp_path):
    wrapped = {f"module.{name}": array for name, array in _STATE.items()}
    content = legacy_pth(wrapped, lambda state: {"epoch": 7, "state_dict": state})
    (tmp_path / "m.pth").write_bytes(content)
    assert list(read_source(tmp_path / "m.pth").tensors) == list(_STATE)


@pytest.mark.parametrize("chunks", [1, 3])
def test_paddlejs_layouts(tiny, tmp_path, chunks):
    variables = {"w_10": _numbers(4, 1, 2, 2), "w_2": _numbers(4, 2, 1, 1), "b": _numbers(4), "s": _numbers(4)}
    operators = [
        {"type": "conv2d", "inputs": {"Input": ["x"], "Filter": ["w_2"]}, "outputs": {"Output": ["a"]}},
        {"type": "elementwise_add", "inputs": {"X": ["a"], "Y": ["b"]}, "outputs": {"Out": ["c"]}},
        {
            "type": "conv2d",
            "attrs": {"groups": 4},
            "inputs": {"Input": ["c"], "Filter": ["w_10"]},
            "outputs": {"Output": ["d"]},
        },
        {
            "type": "batchnorm",
            "attrs": {"epsilon": 1e-5},
            "inputs": {"X": ["d"], "Scale": ["s"], "Bias": ["b"], "Mean": ["s"], "Variance": ["b"]},
            "outputs": {"Y": ["e"]},
        },
        {"type": "elementwise_add", "inputs": {"X": ["e"], "Y": ["a"]}, "outputs": {"Out": ["f"]}},
    ]
    source = read_source(tiny.paddlejs(tmp_path, variables, operators, chunks))
    assert [(layer.kind, layer.name, list(layer.arrays)) for layer in source.layers] == [
        ("conv", "w_2", ["weight", "bias"]),
        ("depthwise", "w_10", ["weight"]),
        ("batch_norm", "s", ["weight", "bias", "_mean", "_variance"]),
    ]
    for name, array in variables.items():  # chunks hold them in the order of their names: b, s, w_10, w_2
        np.testing.assert_array_equal(source.tensors[name], array)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("prisma_net/prisma-net.tflite", "prisma_net/prisma_nchw.onnx"),
        (
            "mediapipe_selfie/selfie_segmentation_landscape.tflite",
            "mediapipe_selfie/selfie_segmentation_landscape.onnx",
        ),
    ],
)
def test_released_files_of_one_network_hold_the_same_values(checkpoints, first, second):
    one, other = (_sorted(read_source(checkpoints / file).layers) for file in (first, second))
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert left.kind == right.kind
        np.testing.assert_array_equal(left.arrays["weight"], right.arrays["weight"])
        # TFLite demands a bias; where the other file has none, it is zero.
        none = np.zeros_like(left.arrays["bias"])
        np.testing.assert_array_equal(left.arrays["bias"], right.arrays.get("bias", none))


def _sorted(layers):
    """Order layers by their values: converters write branches that run side by side in orders of their own."""
    return sorted(layers, key=lambda layer: layer.arrays["weight"].tobytes())


def test_released_pytorch_files_agree_with_their_onnx(checkpoints):
    torch, exported = (read_source(checkpoints / f"sinet/sinet_aisegment_320.{form}") for form in ("pth", "onnx"))
    for name in sorted(set(torch.tensors) & set(exported.tensors)):
        np.testing.assert_array_equal(torch.tensors[name], exported.tensors[name])
    assert len(set(torch.tensors) & set(exported.tensors)) > 200


@pytest.mark.parametrize(
    ("file", "learnable"),
    [
        ("prisma_net/prisma_nchw.onnx", 923_057),
        ("slim_net/slim_reshape_v2.h5", 347_570),
        ("sinet/sinet_eg1800_224.pth", 86_910),
        ("extremec3net/ExtremeC3.pth", 37_738),
        ("like_unet/dark-light-50-0.9735.h5", 220_570),
        ("like_unet/dark-light-pre-50-0.9735.h5", 321_882),
        ("mnv3_small_transition/mnv3_seg_float.tflite", 940_122),
        ("mobile_unet/bilinear_fin_munet_uint8.tflite", 3_620_617),
        ("portrait_net_video/portrait_video_quant.tflite", 2_064_050),
    ],
)
def test_released_files_hold_the_published_number_of_parameters(checkpoints, file, learnable):
    layers = read_source(checkpoints / file).layers
    assert sum(array.size for layer in layers for key, array in layer.arrays.items() if key[0] != "_") == learnable
