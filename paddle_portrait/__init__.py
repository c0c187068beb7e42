"""paddle_portrait: train, judge, export and run portrait segmentation on PaddlePaddle."""

__version__ = "0.1.0"
