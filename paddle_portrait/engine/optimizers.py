"""Optimizers by name. A recipe from the YAML makes the Paddle optimizer once the network exists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

import paddle
from paddle import nn

from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.registry import OPTIMIZERS

ParameterKind = Literal["norm", "bias", "depthwise", "prelu"]
_RULE_KEYS = ("name", "lr_mult", "weight_decay_mult")


class OptimizerRecipe:
    """What optimizers share.

    Args:
        weight_decay: coefficient of the decay; coupled into the gradient, but for AdamW.
        no_decay: kinds of parameters that weight decay leaves out: ``norm`` (both of a norm layer), ``bias`` (of
            other layers), ``depthwise`` (kernels), ``prelu`` (slopes).
        grad_clip_norm: greatest global norm of the gradients; None does not clip.
        decay_by_kind: coefficients of kinds that have one of their own, such as ``{norm: 2.0e-6}``.
        custom_cfg: PaddleSeg's rules for parameters by name, the first that fits counts: ``name`` (a part of the
            parameter's name, or with ``*`` a pattern of all of it), ``lr_mult`` (factor of the learning rate; 0 leaves
            the parameters as they are) and ``weight_decay_mult``.

    Raises:
        UserError: a rule or a kind is not understood, or a number is negative.
    """

    def __init__(
        self,
        weight_decay: float = 0.0,
        no_decay: Sequence[ParameterKind] = (),
        grad_clip_norm: float | None = None,
        decay_by_kind: Mapping[str, float] | None = None,
        custom_cfg: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        self.weight_decay = weight_decay
        self.decay_by_kind = _checked_decays(decay_by_kind or {})
        self.decay_by_kind.update({kind: 0.0 for kind in no_decay})
        self.rules = [_checked_rule(index, rule) for index, rule in enumerate(custom_cfg or ())]
        self.grad_clip_norm = grad_clip_norm
        if twice := sorted(set(no_decay) & set(decay_by_kind or {})):
            raise UserError(f"optimizer: {', '.join(twice)} stands in no_decay and in decay_by_kind. Leave it in one.")

    def create(self, model: nn.Layer, learning_rate: float) -> paddle.optimizer.Optimizer:
        """Return a Paddle optimizer over the trainable parameters of ``model``.

        Raises:
            UserError: a rule fits no parameter.
        """
        groups = self._groups(model)
        trained = [parameter for group in groups for parameter in group["params"]]
        clip = None if self.grad_clip_norm is None else _ClipByNormOfAll(self.grad_clip_norm, trained)
        return self._create(
            learning_rate=learning_rate, parameters=groups, weight_decay=self.weight_decay, grad_clip=clip
        )

    def _groups(self, model: nn.Layer) -> list[dict[str, Any]]:
        """Return Paddle's parameter groups: one for each pair of decay and factor of the learning rate."""
        kinds = parameter_kinds(model)
        unused = {rule["name"] for rule in self.rules}
        groups: dict[tuple[float, float], list[Any]] = {}
        for key, parameter in model.named_parameters():
            rule = next((rule for rule in self.rules if _fits(rule["name"], key)), {})
            unused.discard(rule.get("name"))
            if parameter.stop_gradient:
                continue
            decay = self.decay_by_kind.get(kinds.get(parameter.name, ""), self.weight_decay)
            pair = (decay * rule.get("weight_decay_mult", 1.0), float(rule.get("lr_mult", 1.0)))
            groups.setdefault(pair, []).append(parameter)
        if unused:
            examples = ", ".join([key for key, _ in model.named_parameters()][:3])
            raise UserError(
                f"optimizer.custom_cfg: '{min(unused)}' fits no parameter of the network, or an earlier rule takes all "
                f"of its. The network's first ones: {examples}."
            )
        return [
            {"params": parameters, "weight_decay": decay, "learning_rate": factor}
            for (decay, factor), parameters in groups.items()
        ]

    def _create(self, **common: Any) -> paddle.optimizer.Optimizer:
        raise NotImplementedError


class _ClipByNormOfAll(nn.ClipGradByGlobalNorm):
    """Clips by the norm over all parameters, where Paddle's takes the norm of each parameter group by itself."""

    def __init__(self, clip_norm: float, parameters: Sequence[paddle.Tensor]) -> None:
        super().__init__(clip_norm)
        self._parameters = list(parameters)

    @paddle.no_grad()
    def _dygraph_clip(self, params_grads: Sequence[tuple[paddle.Tensor, paddle.Tensor]]) -> list[Any]:
        # Groups are clipped into new tensors one after the other: `grad` holds the raw gradients all the while.
        squares = [p.grad.astype("float32").square().sum() for p in self._parameters if p.grad is not None]
        norm = paddle.add_n(squares).sqrt()
        scale = self.clip_norm / paddle.maximum(norm, paddle.to_tensor(self.clip_norm, "float32"))
        return [(p, None if grad is None else grad * scale.astype(grad.dtype)) for p, grad in params_grads]


@OPTIMIZERS.register("SGD", "sgd", "Momentum", "momentum")
class SGD(OptimizerRecipe):
    """Stochastic gradient descent; with a momentum unless that is 0. PaddleSeg's ``sgd`` has 0.9."""

    def __init__(
        self,
        momentum: float = 0.9,
        use_nesterov: bool = False,
        weight_decay: float = 0.0,
        no_decay: Sequence[ParameterKind] = (),
        grad_clip_norm: float | None = None,
        decay_by_kind: Mapping[str, float] | None = None,
        custom_cfg: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(weight_decay, no_decay, grad_clip_norm, decay_by_kind, custom_cfg)
        self.momentum, self.use_nesterov = momentum, use_nesterov

    def _create(self, **common: Any) -> paddle.optimizer.Optimizer:
        if self.momentum == 0.0:
            return paddle.optimizer.SGD(**common)
        return paddle.optimizer.Momentum(momentum=self.momentum, use_nesterov=self.use_nesterov, **common)


@OPTIMIZERS.register("Adam", "adam")
class Adam(OptimizerRecipe):
    """Adam (Kingma and Ba 2015); its weight decay is coupled into the gradient.

    ``amsgrad`` divides by the greatest second moment so far (Reddi et al. 2018).
    """

    def __init__(
        self,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        no_decay: Sequence[ParameterKind] = (),
        grad_clip_norm: float | None = None,
        decay_by_kind: Mapping[str, float] | None = None,
        custom_cfg: Sequence[Mapping[str, Any]] | None = None,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(weight_decay, no_decay, grad_clip_norm, decay_by_kind, custom_cfg)
        self.own = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon, "amsgrad": amsgrad}

    def _create(self, **common: Any) -> paddle.optimizer.Optimizer:
        return paddle.optimizer.Adam(**self.own, **common)


@OPTIMIZERS.register("AdamW", "adamw")
class AdamW(Adam):
    """AdamW (Loshchilov and Hutter 2019): weight decay apart from the gradient."""

    def __init__(
        self,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
        no_decay: Sequence[ParameterKind] = (),
        grad_clip_norm: float | None = None,
        decay_by_kind: Mapping[str, float] | None = None,
        custom_cfg: Sequence[Mapping[str, Any]] | None = None,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(
            beta1, beta2, epsilon, weight_decay, no_decay, grad_clip_norm, decay_by_kind, custom_cfg, amsgrad
        )

    def _create(self, **common: Any) -> paddle.optimizer.Optimizer:
        return paddle.optimizer.AdamW(**self.own, **common)


def parameter_kinds(model: nn.Layer) -> dict[str, ParameterKind]:
    """Return the kind of each parameter of ``model`` that has one, by the parameter's Paddle name."""
    kinds: dict[str, ParameterKind] = {}
    for layer in model.sublayers(include_self=True):
        is_depthwise = isinstance(layer, nn.Conv2D) and layer._groups > 1 and layer._groups == layer._in_channels
        for key, parameter in layer.named_parameters(include_sublayers=False):
            if "norm" in type(layer).__name__.lower():
                kinds[parameter.name] = "norm"
            elif isinstance(layer, nn.PReLU):
                kinds[parameter.name] = "prelu"
            elif key == "bias":
                kinds[parameter.name] = "bias"
            elif is_depthwise and key == "weight":
                kinds[parameter.name] = "depthwise"
    return kinds


def _fits(name: str, key: str) -> bool:
    return fnmatchcase(key, name) if "*" in name else name in key


def _checked_decays(decays: Mapping[str, float]) -> dict[str, float]:
    for kind, decay in decays.items():
        if kind not in get_args(ParameterKind):
            raise UserError(
                describe_unknown("kind of parameters in optimizer.decay_by_kind", kind, get_args(ParameterKind))
            )
        _check_number(f"optimizer.decay_by_kind.{kind}", decay)
    return dict(decays)


def _checked_rule(index: int, rule: Mapping[str, Any]) -> dict[str, Any]:
    where = f"optimizer.custom_cfg[{index}]"
    if not isinstance(rule, Mapping) or not isinstance(rule.get("name"), str) or not rule["name"]:
        raise UserError(f"{where}: a rule is a mapping with the 'name' of its parameters, not {rule!r}.")
    for key, value in rule.items():
        if key not in _RULE_KEYS:
            raise UserError(f"{where}: {describe_unknown('key', str(key), _RULE_KEYS)}")
        if key != "name":
            _check_number(f"{where}.{key}", value)
    return dict(rule)


def _check_number(where: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise UserError(f"{where} must be a number of 0 or more, not {value!r}.")
