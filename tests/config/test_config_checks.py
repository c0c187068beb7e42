"""Every key and value is checked, at every depth, and all mistakes are listed at once."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from paddle_portrait.config import Config, ConfigError, load_config
from paddle_portrait.config.signatures import signature_of
from paddle_portrait.registry import BACKBONES, DATASETS, LOSSES, MODELS, TRANSFORMS

Write = Callable[..., str]

DATASET = "train_dataset: {type: Dataset, mode: train, transforms: [%s]}"


def problems_of(path: str) -> list[str]:
    """Return the lines that loading ``path`` complains with; none when it is right."""
    try:
        load_config(path)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # names of sections and settings
        ("save_intervall: 3", "save_intervall: unknown key; did you mean 'save_interval'? Allowed in a config: batch_"),
        ("modell: {type: PPHumanSegLite}", "modell: unknown key; did you mean 'model'?"),
        ("zzz: 1", "zzz: unknown key. Allowed in a config"),
        # settings
        ("batch_size: eight", "batch_size: found 'eight'; takes a whole number of at least 1"),
        ("batch_size: 0", "batch_size: found 0; takes a whole number of at least 1"),
        ("batch_size: 1.5", "batch_size: found 1.5; takes a whole number"),
        ("batch_size: true", "batch_size: found true; takes a whole number"),
        ("iters: -5", "iters: found -5; takes a whole number of at least 1 or null"),
        ("seed: '1'", "seed: found '1'; takes a whole number of at least 0 or null"),
        ("precision: fp23", "precision: found 'fp23'; takes 'fp32', 'fp16' or 'bf16'; did you mean 'fp32'?"),
        ("precision: {a: 1}", "precision: found {'a': 1}; takes 'fp32', 'fp16' or 'bf16'"),
        ("kernels: perhaps", "kernels: found 'perhaps'; takes true, false or 'auto'"),
        ("iters: 5\nepochs: 2", "epochs: both epochs and iters (config.yml:1) are given; set one of them to null"),
        # components: the kind, the name, the arguments
        ("model: PPHumanSegLite", "model: a model is a mapping with a key 'type'; found 'PPHumanSegLite'"),
        ("model: {tipe: X}", "model: a model is a mapping with a key 'type'; has no key 'type'; its keys: tipe"),
        ("model: {type: 3}", "model.type: found 3; takes a text"),
        ("model: {type: [a]}", "model.type: found ['a']; takes a text"),
        ("model: {type: PPHumanSegLit}", "model.type: unknown model 'PPHumanSegLit'. Did you mean 'PPHumanSegLite'?"),
        ("model: {type: os.system}", "model.type: unknown model 'os.system'."),
        ("model: {type: paddle_portrait.models.PPHumanSegLite}", "model.type: unknown model 'paddle_portrait.models."),
        ("model: {type: PPHumanSegLite, num_clases: 2}", "model.num_clases: unknown key; did you mean 'num_classes'?"),
        ("model: {type: PPHumanSegLite, num_classes: two}", "model.num_classes: found 'two'; takes a whole number"),
        ("model: {type: PPHumanSegLite, align_corners: 0}", "model.align_corners: found 0; takes true, false"),
        (
            "lr_scheduler: {type: PolynomialDecay}",
            "lr_scheduler: schedule 'PolynomialDecay' needs the key 'learning_rate'",
        ),
        (
            "lr_scheduler: {type: PolynomialDecay, learning_rate: fast}",
            "lr_scheduler.learning_rate: found 'fast'; takes a ",
        ),
        (
            "lr_scheduler: {type: ConstantRate, learning_rate: -1}",
            "lr_scheduler: lr_scheduler.learning_rate must be 0 or ",
        ),
        (
            "lr_scheduler: {type: ConstantRate, learning_rate: 1, warmup_iters: -1}",
            "lr_scheduler.warmup_iters: found -1; ",
        ),
        ("optimizer: {type: AdamX}", "optimizer.type: unknown optimizer 'AdamX'. Did you mean 'adam'?"),
        ("optimizer: {type: AdamW, learning_rate: 1}", "optimizer.learning_rate: unknown key"),
        (
            "optimizer: {type: AdamW, no_decay: [norm, biass]}",
            "optimizer.no_decay[1]: found 'biass'; takes 'norm', 'bias', 'depthwise' or 'prelu'",
        ),
        # children of components
        (
            DATASET % "{type: RandomBlurr}",
            "train_dataset.transforms[0].type: unknown transform 'RandomBlurr'. Did you mean ",
        ),
        (
            DATASET % "Normalize",
            "train_dataset.transforms[0]: a transform is a mapping with a key 'type'; found 'Normalize'",
        ),
        (
            DATASET % "{type: RandomBlur}, {type: RandomBlur, prb: 1}",
            "train_dataset.transforms[1].prb: unknown key; did you ",
        ),
        (DATASET % "{type: RandomBlur, prob: 1.5}", "train_dataset.transforms[0]: RandomBlur: prob must be"),
        (
            "train_dataset: {type: Dataset, transforms: {type: Normalize}}",
            "train_dataset.transforms: takes a list, each item a",
        ),
        (
            "train_dataset: {type: ConcatDataset, datasets: [{type: Dataset, wait: 2}]}",
            "train_dataset.datasets[0].wait: unkn",
        ),
        ("train_dataset: {type: ConcatDataset}", "train_dataset: data set 'ConcatDataset' needs the key 'datasets'"),
        (
            "train_dataset: {type: Dataset, final: true}",
            "train_dataset.final: a split marked final is never trained on",
        ),
        ("val_dataset: {type: Dataset, final: maybe}", "val_dataset.final: found 'maybe'; takes true, false"),
        # the loss
        (
            "loss: {types: [{type: DiceLos}], coef: [1]}",
            "loss.types[0].type: unknown loss 'DiceLos'. Did you mean 'DiceLoss'?",
        ),
        ("loss: {types: [{type: DiceLoss}]}", "loss: section 'loss' needs the key 'coef', which is missing"),
        ("loss: {types: {type: DiceLoss}, coef: [1]}", "loss.types: found {'type': 'DiceLoss'}; takes a list"),
        ("loss: {types: [{type: DiceLoss}], coef: [1, x]}", "loss.coef[1]: found 'x'; takes a number of at least 0"),
        (
            "loss: {types: [{type: DiceLoss}, {type: DiceLoss}], coef: [1, 1, 1]}",
            "loss.coef: types has 2 losses, coef 3 weights; give one type for all, or one for each weight",
        ),
        (
            "loss: {types: [{type: MixedLoss, losses: [{type: DiceLoss}, {type: Dice}], coef: [1, 1]}], coef: [1]}",
            "loss.types[0].losses[1].type: unknown loss 'Dice'.",
        ),
        (
            "loss: {types: [{type: MixedLoss, losses: [{type: DiceLoss}], coef: [1, 2]}], coef: [1]}",
            "loss.types[0]: MixedLoss has 1 losses but 2 values of coef; give one for each",
        ),
        ("objective: {type: DiceLoss}", "objective: found {'type': 'DiceLoss'}; takes a list"),
        ("objective: [{type: DiceLoss, on: edge}]", "objective[0].on: found 'edge'; takes logits, boundary or aux[0]"),
        ("objective: [{type: DiceLoss, weight: -1}]", "objective[0].weight: found -1; takes a number of at least 0"),
        ("objective: [{type: DiceLoss, wait: 1}]", "objective[0].wait: unknown key; did you mean 'weight'?"),
        (
            "objective: [{type: BoundaryBandLoss, kernel_size: 4}]",
            "objective[0]: BoundaryBandLoss: kernel_size must be odd",
        ),
        # other sections
        ("export: {formats: [paddel]}", "export.formats[0]: found 'paddel'; takes 'paddle', 'paddle_legacy', 'onnx'"),
        (
            "export: {output_op: softmx}",
            "export.output_op: found 'softmx'; takes 'argmax', 'softmax', 'sigmoid' or 'none'; did",
        ),
        ("export: {input_shape: [1, 2, 3]}", "export.input_shape: found [1, 2, 3]; takes a list, each a whole number"),
        ("export: {transforms: [{type: Resiz}]}", "export.transforms[0].type: unknown transform 'Resiz'. Did you mean"),
        ("export: {person_onli: true}", "export.person_onli: unknown key; did you mean 'person_only'?"),
        ("export: paddle", "export: found 'paddle'; takes a mapping"),
        ("ema: {decay: 1.5}", "ema.decay: found 1.5; takes a number from 0 to 1"),
        ("early_stop: {}", "early_stop: section 'early_stop' needs the key 'intervals'"),
        ("test_config: {scales: [1, x]}", "test_config.scales[1]: found 'x'; takes a number"),
        ("test_config: {crop_size: [1, 2, 3]}", "test_config.crop_size: found [1, 2, 3]; takes a list"),
        ("train: {save_intervall: 1}", "train.save_intervall: unknown key; did you mean 'save_interval'?"),
        ("to_static_training: true", "to_static_training: found true, but training runs eagerly here; leave it out"),
        ("train: {repeats: 2}", "train.repeats: found 2, but a training is run once; leave it out"),
        ("test: {auc_roc: true}", "test.auc_roc: found true, but evaluation does not compute it; leave it out"),
        ("test_config: {auc_roc: false}", "test_config.auc_roc: unknown key"),
        (
            "export: {transforms: [{type: Normalize}, {type: Resize, target_size: [8, 8]}]}",
            "export.transforms[0]: Normalize must be the last of the list, and there only once",
        ),
        (
            "train_dataset: {type: ConcatDataset, datasets: [{type: Dataset, transforms: [&n {type: Normalize}, *n]}]}",
            "train_dataset.datasets[0].transforms[0]: Normalize must be the last",
        ),
        # stages
        ("stages: [{epochs: 1}]", "stages[0]: section 'stages' needs the key 'name'"),
        ("stages: [{name: a}]", "stages[0]: a stage needs its length: 'epochs' or 'iters'"),
        ("stages: [head]", "stages[0]: found 'head'; takes a mapping"),
        ("stages: [{name: a, iters: 5, freeze: [1]}]", "stages[0].freeze[0]: found 1; takes a text"),
        (
            "iters: 9\nstages: [{name: a, iters: 5, overrides: {lr_scheduler: {learning_rate: 1}}}]",
            "stages[0].overrides.lr_scheduler: a schedule is a mapping with a key 'type'",
        ),
        (
            "stages: [{name: a, iters: 5, overrides: {bach_size: 1}}]",
            "stages[0].overrides.bach_size: unknown key; did you ",
        ),
        (
            "stages: [{name: a, iters: 5, overrides: {stages: []}}]",
            "stages[0].overrides.stages: a stage cannot have stages",
        ),
        # between sections
        (
            "model: {type: PPHumanSegLite, num_classes: 2}\nval_dataset: {type: Dataset, num_classes: 3}",
            "config.yml:2: val_dataset.num_classes: found 3, but model.num_classes is 2 (config.yml:1)",
        ),
    ],
)
def test_one_mistake_gives_one_line(write: Write, text: str, expected: str) -> None:
    (problem,) = problems_of(write(text))
    assert expected in problem
    assert problem.startswith("config.yml:")


def test_one_logit_stands_for_two_classes(write: Write) -> None:
    text = "model: {{type: PPHumanSegLite, num_classes: 1}}\nval_dataset: {{type: Dataset, num_classes: {}}}"
    assert problems_of(write(text.format(2))) == []
    (problem,) = problems_of(write(text.format(3)))
    assert "found 3, but model.num_classes is 1" in problem


def test_all_mistakes_come_at_once_in_the_order_of_the_lines(write: Write) -> None:
    path = write(
        """\
        iterss: 100
        model:
          type: PPHumanSegLite
          num_classes: two
        train_dataset:
          type: Dataset
          transforms:
            - type: Resize
              target_size: [192, 192]
            - type: RandomBlur
              prb: 0.3
            - type: Normalise
        seed: -1
        """
    )
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    assert [problem.source.line for problem in raised.value.problems] == [1, 4, 11, 12, 13]
    assert str(raised.value).startswith("5 mistakes in the config:\nconfig.yml:1: iterss: ")


def test_lossless_changes_of_form(write: Write) -> None:
    config = load_config(write("iters: 5e4\nkernels: off\nmodel: {type: PPHumanSegLite, align_corners: no}\n"))
    assert config.to_dict() == {
        "iters": 50000,
        "kernels": False,
        "model": {"type": "PPHumanSegLite", "align_corners": False},
    }
    assert isinstance(config["iters"], int)


def test_a_word_stays_a_word_where_no_switch_is_due(write: Write) -> None:
    assert load_config(write("model: {type: PPHumanSegLite, pretrained: no}"))["model.pretrained"] == "no"


def test_missing_data_are_no_mistake_of_the_config(complete: str) -> None:
    assert isinstance(load_config(complete), Config)


def test_stage_overrides(write: Write) -> None:
    config = load_config(
        write(
            """\
            batch_size: 8
            lr_scheduler: {type: PolynomialDecay, learning_rate: 0.1}
            stages:
              - {name: head, epochs: 2, freeze: ["backbone.*"]}
              - {name: all, iters: 5, start_from: best, overrides: {lr_scheduler: {learning_rate: 1.0e-4}, seed: 3}}
            """
        )
    )
    assert config.for_stage(0).to_dict() == {
        "batch_size": 8,
        "lr_scheduler": {"type": "PolynomialDecay", "learning_rate": 0.1},
    }
    second = config.for_stage(1)
    assert (second["lr_scheduler.learning_rate"], second["seed"]) == (0.0001, 3)
    assert second.where("lr_scheduler.learning_rate") == "config.yml:5"
    assert config["lr_scheduler.learning_rate"] == 0.1


def test_a_network_without_num_classes_gets_that_of_the_data(write: Write) -> None:
    config = load_config(write("model: {type: PPHumanSegLite}\ntrain_dataset:\n  type: Dataset\n  num_classes: 3\n"))
    assert config["model"] == {"type": "PPHumanSegLite", "num_classes": 3}
    assert config.where("model.num_classes") == "config.yml:4"


def test_bases_need_not_be_complete_but_are_checked(write: Write) -> None:
    assert not problems_of(write("train_dataset: {transforms: [{type: Normalize}]}", "_base_/augmentation.yml"))
    assert not problems_of(write("lr_scheduler: {type: PolynomialDecay}\nloss: {coef: [1]}", "_base_/schedule.yml"))
    (problem,) = problems_of(write("train_dataset: {transforms: [{type: Normalise}]}", "_base_/wrong.yml"))
    assert "train_dataset.transforms[0].type: unknown transform 'Normalise'" in problem


class TestWithPaddleSeg:
    """Its components are checked by the signatures of the installed package."""

    @pytest.fixture(autouse=True)
    def _needs_paddleseg(self) -> None:
        pytest.importorskip("paddleseg")
        logging.getLogger("paddle_portrait").propagate = False

    @pytest.mark.parametrize(
        ("model", "expected"),
        [
            ("{type: FCN, num_classes: 2}", "model: model 'FCN' needs the key 'backbone', which is missing"),
            (
                "{type: FCN, num_classes: 2, backbone: HRNet_W18}",
                "model.backbone: a backbone is a mapping with a key 'type'",
            ),
            ("{type: FCN, num_classes: 2, backbone: {type: HRNet_W18_Smal_V1}}", "Did you mean 'HRNet_W18_Small_V1'?"),
            (
                "{type: FCN, num_classes: 2, backbone: {type: STDC1}, chanels: 3}",
                "model.chanels: unknown key; did you mean",
            ),
            (
                "{type: FCN, num_classes: 2, backbone: {type: STDC1, pretrain: x}}",
                "model.backbone.pretrain: unknown key; did",
            ),
            (
                "{type: FCN, num_classes: 2, backbone: {type: STDC1}, align_corners: 3}",
                "model.align_corners: found 3; takes true",
            ),
        ],
    )
    def test_wrong(self, write: Write, model: str, expected: str) -> None:
        (problem,) = problems_of(write(f"model: {model}"))
        assert expected in problem

    def test_arguments_behind_kwargs(self, write: Write) -> None:
        """PaddleSeg's backbones take ``**kwargs`` and hand them to one class, whose arguments then count."""
        model = "model: {type: FCN, num_classes: 2, backbone: {type: HRNet_W18_Small_V1, %s}}"
        assert not problems_of(write(model % "align_corners: false, pretrained: x"))
        (problem,) = problems_of(write(model % "pretraned: x"))
        assert "model.backbone.pretraned: unknown key; did you mean 'pretrained'?" in problem

    def test_every_component_has_a_readable_signature(self) -> None:
        for registry in (MODELS, BACKBONES, DATASETS, TRANSFORMS, LOSSES):
            for name in registry.names():
                assert signature_of(registry.get(name)).arguments is not None


def test_a_constructor_that_takes_anything(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file anything goes; ``--opts`` still cannot invent a key that nobody checks."""

    def any_arguments(scale: float = 1.0, **others: object) -> dict[str, object]:
        return {"scale": scale, "others": dict(others)}

    LOSSES.own_names()  # loads the registry
    monkeypatch.setitem(LOSSES._factories, "AnyArgumentsLoss", any_arguments)
    path = write("objective: [{type: AnyArgumentsLoss, scale: 2, colour: red}]")
    assert load_config(path, ["objective.0.colour=blue"])["objective[0].colour"] == "blue"
    with pytest.raises(ConfigError, match="loss 'AnyArgumentsLoss' is not known to take this key"):
        load_config(path, ["objective.0.color=blue"])
