"""Plain or mixed precision: the forward context and the weight update."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import paddle

from paddle_portrait.errors import UserError

PrecisionName = Literal["fp32", "fp16", "bf16"]


class Precision:
    """How numbers are kept while training.

    Args:
        name: ``fp32``, or ``fp16`` or ``bf16`` with float32 master weights, on a GPU.
        level: ``O1`` casts operators of a list, ``O2`` the whole network.
    """

    def __init__(self, name: PrecisionName = "fp32", level: Literal["O1", "O2"] = "O1") -> None:
        if name != "fp32" and not paddle.get_device().startswith("gpu"):
            raise UserError(
                f"--precision {name} needs a GPU; on '{paddle.get_device()}' Paddle has no mixed-precision kernels "
                "for training. Use --precision fp32."
            )
        self.name, self.level = name, level
        self._scaler = paddle.amp.GradScaler(init_loss_scaling=1024.0) if name == "fp16" else None

    def context(self) -> AbstractContextManager[None]:
        """Return the context in which the forward pass runs."""
        if self.name == "fp32":
            return nullcontext()
        dtype = {"fp16": "float16", "bf16": "bfloat16"}[self.name]
        return paddle.amp.auto_cast(level=self.level, dtype=dtype)

    def update(self, loss: paddle.Tensor, optimizer: paddle.optimizer.Optimizer) -> None:
        """Back-propagate ``loss``, update the weights and clear the gradients."""
        if self._scaler is None:
            loss.backward()
            optimizer.step()
        else:
            self._scaler.scale(loss).backward()
            self._scaler.step(optimizer)
            self._scaler.update()
        optimizer.clear_grad()

    def state_dict(self) -> dict[str, Any]:
        """Return the loss scaler's state, JSON-able; empty in fp32 and bf16."""
        if self._scaler is None:
            return {}
        return {
            key: value.numpy().tolist() if hasattr(value, "numpy") else value
            for key, value in self._scaler.state_dict().items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` gave."""
        if self._scaler is not None and state:
            import numpy as np

            self._scaler.load_state_dict({**state, "scale": np.asarray(state["scale"], dtype=np.float32)})
