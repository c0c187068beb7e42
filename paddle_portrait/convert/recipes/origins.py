"""The projects that released checkpoints, and what their licences ask to keep."""

from __future__ import annotations

from paddle_portrait.convert.recipes.recipe import Origin

PORTRAIT_SEGMENTATION = Origin(
    "Portrait-Segmentation",
    "https://github.com/anilsathyan7/Portrait-Segmentation",
    "MIT",
    "Copyright (c) 2021 anilsathyan",
)
EXT_PORTRAIT_SEGMENTATION = Origin(
    "ext_portrait_segmentation",
    "https://github.com/clovaai/ext_portrait_segmentation",
    "MIT",
    "Copyright (c) 2019-present NAVER Corp.",
)
HUMAN_MATTING = Origin("humanMatting", "https://github.com/toytag/humanMatting", "MIT", "Copyright (c) toytag")
PADDLE_JS = Origin(
    "Paddle.js", "https://github.com/PaddlePaddle/Paddle.js", "Apache-2.0", "Copyright (c) PaddlePaddle Authors"
)
MEDIAPIPE = Origin("MediaPipe", "https://github.com/google/mediapipe", "Apache-2.0", "Copyright The MediaPipe Authors")
