"""The sections of a config: every top-level key, with the type of what it holds.

A section is declared as a dataclass, and checked like any constructor: by the names and annotations of its
arguments. Defaults stand where a section is used, not here; a field with a default is one that may be left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from paddle_portrait.config.fitting import Between, Lengths
from paddle_portrait.registry import DATASETS, MODELS, OPTIMIZERS, SCHEDULES, Registry

Count: TypeAlias = Annotated[int, Between(1)]
CountOrZero: TypeAlias = Annotated[int, Between(0)]
NonNegative: TypeAlias = Annotated[float, Between(0)]
Share: TypeAlias = Annotated[float, Between(0, 1)]
Precision: TypeAlias = Literal["fp32", "fp16", "bf16"]
AmpLevel: TypeAlias = Literal["O1", "O2"]
DataFormat: TypeAlias = Literal["NCHW", "NHWC"]
Numbers: TypeAlias = "float | list[float]"
SizeWH: TypeAlias = Annotated[list[Count], Lengths(2)]
OutputOp: TypeAlias = Literal["argmax", "softmax", "sigmoid", "none"]
Format: TypeAlias = Literal[
    "paddle",
    "paddle_legacy",
    "onnx",
    "onnx_fp16",
    "onnx_int8",
    "openvino",
    "openvino_fp16",
    "paddlelite",
    "paddlejs",
    "mnn",
    "ncnn",
    "tflite",
]


@dataclass
class LossSection:
    """PaddleSeg's form: one entry of ``types`` and of ``coef`` per output of the network."""

    types: list[Any]
    coef: list[NonNegative]


@dataclass
class ObjectiveTerm:
    """What a term of ``objective`` takes beside its loss and the arguments of that loss."""

    on: str = "logits"  # logits | aux[i] | boundary
    weight: NonNegative = 1.0
    view: Literal["clean", "textured", "both"] = "clean"


@dataclass
class PruneSection:
    """What a stage removes from the network before it trains. ``size`` is that of the network's input."""

    ratio: Share
    importance: Literal["l1", "norm"] = "l1"
    max_share: Share = 0.5
    keep: list[str] | None = None
    multiple_of: Count = 1
    size: SizeWH | None = None


@dataclass
class QuantiseSection:
    """What of a stage is trained for int8: all convolutions round, but those that ``keep_float`` names."""

    keep_float: list[str] | None = None
    calibration_images: Count = 64


@dataclass
class StageSection:
    """One stage of a training; the stages run in order and each can be resumed."""

    name: str
    epochs: Count | None = None
    iters: Count | None = None
    freeze: list[str] | None = None
    start_from: str = "last"  # last | best | a path to weights
    prune: dict[str, Any] | None = None  # keys of PruneSection
    quantise: dict[str, Any] | None = None  # keys of QuantiseSection
    overrides: dict[str, Any] | None = None


@dataclass
class TestConfigSection:
    """How evaluation and prediction run the network; PaddleSeg's keys. Sizes are width, height."""

    aug_eval: bool = False
    scales: Numbers = 1.0
    flip_horizontal: bool = False
    flip_vertical: bool = False
    is_slide: bool = False
    crop_size: SizeWH | None = None
    stride: SizeWH | None = None


@dataclass
class TestSection(TestConfigSection):
    """PaddleSeg's ``test``: the same, as defaults of the flags of ``tools/val.py``."""

    auc_roc: bool = False


@dataclass
class ExportSection:
    """What ``tools/export.py`` writes unless its flags say otherwise."""

    transforms: list[Any] | None = None
    formats: list[Format] | Format = "paddle"
    output_op: OutputOp = "argmax"
    input_shape: Annotated[list[int], Lengths(2, 4)] | None = None
    person_only: bool = False
    bit_packed: bool | Literal[8, 16] = False
    flatten_output: bool = False
    pad_input_channels: Count | None = None
    upsample_in_graph: bool = True
    normalise_in_graph: bool = False
    rewrites: bool = True


@dataclass
class EmaSection:
    """The moving average of the weights."""

    decay: Share = 0.999


@dataclass
class SwaSection:
    """The equal mean of the weights of the run's last part."""

    start: Share = 0.75
    interval: Count | None = None


@dataclass
class EarlyStopSection:
    """End the training after so many evaluations without a better score."""

    intervals: Count


@dataclass
class GlobalSection:
    """PaddleSeg's ``global``: defaults of flags that every tool has."""

    data_format: DataFormat = "NCHW"
    device: str = "gpu"
    num_workers: CountOrZero = 0


@dataclass
class TrainSection:
    """PaddleSeg's ``train``: defaults of the flags of ``tools/train.py``."""

    save_dir: str = "output"
    do_eval: bool = False
    use_vdl: bool = False
    use_ema: bool = False
    resume_model: str | None = None
    save_interval: Count = 1000
    log_iters: Count = 10
    keep_checkpoint_max: Count = 5
    early_stop_intervals: Count | None = None
    seed: CountOrZero | None = None
    precision: Precision = "fp32"
    amp_level: AmpLevel = "O1"
    profiler_options: str | None = None
    to_static_training: bool = False
    repeats: Count = 1


SCALARS: dict[str, Any] = {
    "batch_size": Count,
    "iters": Count | None,
    "epochs": Count | None,
    "save_interval": Count,
    "log_iters": Count,
    "keep_checkpoint_max": Count,
    "num_workers": CountOrZero,
    "seed": CountOrZero | None,
    "precision": Precision,
    "amp_level": AmpLevel,
    "data_format": DataFormat,
    "to_static_training": bool,
    "kernels": bool | Literal["auto"],
}

SECTIONS: dict[str, type] = {
    "loss": LossSection,
    "export": ExportSection,
    "test_config": TestConfigSection,
    "ema": EmaSection,
    "swa": SwaSection,
    "early_stop": EarlyStopSection,
    "global": GlobalSection,
    "train": TrainSection,
    "test": TestSection,
}

COMPONENTS: dict[str, Registry] = {
    "model": MODELS,
    "train_dataset": DATASETS,
    "val_dataset": DATASETS,
    "test_dataset": DATASETS,
    "optimizer": OPTIMIZERS,
    "lr_scheduler": SCHEDULES,
}

STAGE_SECTIONS: dict[str, type] = {"prune": PruneSection, "quantise": QuantiseSection}

LISTS: dict[str, Any] = {"objective": ObjectiveTerm, "stages": StageSection}

# Keys of a component's mapping that are not for its constructor.
RESERVED: dict[str, dict[str, Any]] = {
    "train_dataset": {"final": bool, "consistency_transforms": list, "batch_sizes_wh": list[SizeWH]},
    "val_dataset": {"final": bool},
    "test_dataset": {"final": bool},
    "lr_scheduler": {"warmup_iters": CountOrZero, "warmup_start_lr": NonNegative, "by_epoch": bool},
}

TOP_LEVEL: tuple[str, ...] = (*SCALARS, *COMPONENTS, *SECTIONS, *LISTS)

# What each command cannot do without: every group needs one of its keys.
NEEDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "train": (
        ("model",),
        ("batch_size",),
        ("iters", "epochs", "stages"),
        ("train_dataset",),
        ("optimizer",),
        ("lr_scheduler",),
        ("loss", "objective"),
    ),
    "val": (("model",), ("val_dataset", "test_dataset")),
    "predict": (("model",), ("export.transforms", "val_dataset", "test_dataset")),
    "export": (("model",), ("export.transforms", "val_dataset", "test_dataset")),
}
