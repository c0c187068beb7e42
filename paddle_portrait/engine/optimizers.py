"""Optimizers by name. A recipe from the YAML makes the Paddle optimizer once the network exists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import paddle
from paddle import nn

from paddle_portrait.registry import OPTIMIZERS

DecayExempt = Literal["norm", "bias", "depthwise"]


class OptimizerRecipe:
    """What optimizers share.

    Args:
        weight_decay: coefficient of the decay; coupled into the gradient, but for AdamW.
        no_decay: kinds of parameters that weight decay leaves out.
        grad_clip_norm: greatest global norm of the gradients; None does not clip.
    """

    def __init__(
        self,
        weight_decay: float = 0.0,
        no_decay: Sequence[DecayExempt] = (),
        grad_clip_norm: float | None = None,
    ) -> None:
        self.weight_decay = weight_decay
        self.no_decay = tuple(no_decay)
        self.grad_clip_norm = grad_clip_norm

    def create(self, model: nn.Layer, learning_rate: float) -> paddle.optimizer.Optimizer:
        """Return a Paddle optimizer over the trainable parameters of ``model``."""
        exempt = exempt_parameters(model, self.no_decay)
        trainable = [parameter for parameter in model.parameters() if not parameter.stop_gradient]
        groups = [
            {"params": [p for p in trainable if p.name not in exempt], "weight_decay": self.weight_decay},
            {"params": [p for p in trainable if p.name in exempt], "weight_decay": 0.0},
        ]
        clip = None if self.grad_clip_norm is None else nn.ClipGradByGlobalNorm(self.grad_clip_norm)
        return self._create(
            learning_rate=learning_rate,
            parameters=[group for group in groups if group["params"]],
            weight_decay=self.weight_decay,
            grad_clip=clip,
        )

    def _create(self, **common: Any) -> paddle.optimizer.Optimizer:
        raise NotImplementedError


@OPTIMIZERS.register("SGD", "sgd", "Momentum", "momentum")
class SGD(OptimizerRecipe):
    """Stochastic gradient descent; with a momentum unless that is 0. PaddleSeg's ``sgd`` has 0.9."""

    def __init__(
        self,
        momentum: float = 0.9,
        use_nesterov: bool = False,
        weight_decay: float = 0.0,
        no_decay: Sequence[DecayExempt] = (),
        grad_clip_norm: float | None = None,
    ) -> None:
        super().__init__(weight_decay, no_decay, grad_clip_norm)
        self.momentum, self.use_nesterov = momentum, use_nesterov

    def _create(self, **common: Any) -> paddle.optimizer.Optimizer:
        if self.momentum == 0.0:
            return paddle.optimizer.SGD(**common)
        return paddle.optimizer.Momentum(momentum=self.momentum, use_nesterov=self.use_nesterov, **common)


@OPTIMIZERS.register("Adam", "adam")
class Adam(OptimizerRecipe):
    """Adam (Kingma and Ba 2015); its weight decay is coupled into the gradient."""

    def __init__(
        self,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        no_decay: Sequence[DecayExempt] = (),
        grad_clip_norm: float | None = None,
    ) -> None:
        super().__init__(weight_decay, no_decay, grad_clip_norm)
        self.betas = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon}

    def _create(self, **common: Any) -> paddle.optimizer.Optimizer:
        return paddle.optimizer.Adam(**self.betas, **common)


@OPTIMIZERS.register("AdamW", "adamw")
class AdamW(Adam):
    """AdamW (Loshchilov and Hutter 2019): weight decay apart from the gradient."""

    def __init__(
        self,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
        no_decay: Sequence[DecayExempt] = (),
        grad_clip_norm: float | None = None,
    ) -> None:
        super().__init__(beta1, beta2, epsilon, weight_decay, no_decay, grad_clip_norm)

    def _create(self, **common: Any) -> paddle.optimizer.Optimizer:
        return paddle.optimizer.AdamW(**self.betas, **common)


def exempt_parameters(model: nn.Layer, kinds: Sequence[DecayExempt]) -> set[str]:
    """Return the names of the parameters of ``model`` that belong to one of ``kinds``."""
    exempt: set[str] = set()
    for layer in model.sublayers(include_self=True):
        for key, parameter in layer.named_parameters(include_sublayers=False):
            is_norm = "norm" in type(layer).__name__.lower()
            is_depthwise = isinstance(layer, nn.Conv2D) and layer._groups > 1 and layer._groups == layer._in_channels
            if (
                ("norm" in kinds and is_norm)
                or ("bias" in kinds and key == "bias" and not is_norm)
                or ("depthwise" in kinds and is_depthwise and key == "weight")
            ):
                exempt.add(parameter.name)
    return exempt
