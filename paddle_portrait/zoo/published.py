"""What PaddleSeg publishes of PP-HumanSeg, by the names of its files. It publishes no checksums of them."""

from __future__ import annotations

from typing import Literal

Kind = Literal["weights", "export"]

_HOST = "https://paddleseg.bj.bcebos.com/dygraph"
_SECOND = (  # of 2022: V1 and V2
    "human_pp_humansegv1_lite_192x192",
    "human_pp_humansegv2_lite_192x192",
    "human_pp_humansegv1_mobile_192x192",
    "human_pp_humansegv2_mobile_192x192",
    "human_pp_humansegv1_server_512x512",
    "portrait_pp_humansegv1_lite_398x224",
    "portrait_pp_humansegv2_lite_256x144",
)
_FOLDERS = {"portrait_pp_humansegv2_lite_256x144": "portrait_pp_humansegv2_lite_256x144_smaller/"}
_SUFFIXES: dict[Kind, tuple[str, ...]] = {
    "weights": ("_pretrained",),
    "export": ("_inference_model", "_inference_model_with_softmax"),
}
_FIRST: dict[Kind, dict[str, str]] = {  # of 2021
    "weights": {
        "pphumanseg_lite_portrait_398x224": "ppseg/ppseg_lite_portrait_398x224.tar.gz",
        "pphumanseg_lite_generic_human_192x192": "humanseg/train/pphumanseg_lite_generic_192x192.zip",
        "fcn_hrnetw18_small_v1_humanseg_192x192": "humanseg/train/fcn_hrnetw18_small_v1_humanseg_192x192.zip",
        "deeplabv3p_resnet50_os8_humanseg_512x512_100k": (
            "humanseg/train/deeplabv3p_resnet50_os8_humanseg_512x512_100k.zip"
        ),
    },
    "export": {
        "pphumanseg_lite_portrait_398x224_with_softmax": "ppseg/ppseg_lite_portrait_398x224_with_softmax.tar.gz",
        "fcn_hrnetw18_small_v1_humanseg_192x192_with_softmax": (
            "humanseg/export/fcn_hrnetw18_small_v1_humanseg_192x192_with_softmax.zip"
        ),
        "deeplabv3p_resnet50_os8_humanseg_512x512_100k_with_softmax": (
            "humanseg/export/deeplabv3p_resnet50_os8_humanseg_512x512_100k_with_softmax.zip"
        ),
    },
}


def published(kind: Kind) -> dict[str, str]:
    """Return the addresses of PaddleSeg's weights, or of its exported models, by name."""
    second = {
        f"{name}{suffix}": f"{_HOST}/pp_humanseg_v2/{_FOLDERS.get(name, '')}{name}{suffix}.zip"
        for name in _SECOND
        for suffix in _SUFFIXES[kind]
    }
    return {**second, **{name: f"{_HOST}/{path}" for name, path in _FIRST[kind].items()}}
