"""Averages of trained networks, and of these with the weights that they started from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from paddle_portrait.errors import UserError

State = Mapping[str, np.ndarray]


def average(states: Sequence[State]) -> dict[str, np.ndarray]:
    """Return the mean of several states, value by value; ``wise_ft`` and "model soups" are such means.

    Args:
        states: arrays by name, one of them or more.

    Raises:
        UserError: none is given, or they are not of one network.
    """
    if not states:
        raise UserError("there is nothing to average: name the weights.")
    return mix(states, [1 / len(states)] * len(states))


def not_loaded(start: State, another_start: State, empty: State) -> set[str]:
    """Return the names of the values of a start that mean nothing: those of new layers, which came with no weights.

    A new layer of zeros alone means something: that it adds nothing to what the start answers.

    Args:
        start: arrays by name.
        another_start: of a second build of the same start; what was drawn at random differs there.
        empty: of a build without any weights to load; constants such as biases and a norm's values are the same there.
    """
    new = {
        name
        for name, value in start.items()
        if not np.array_equal(value, another_start[name]) or np.array_equal(value, empty[name])
    }
    used = {_layer(name) for name, value in start.items() if value.any()}
    return {name for name in new if _layer(name) in used}


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def towards_start(trained: State, start: State, start_share: float, new: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Return the state between a trained network and its start.

    A network that was trained on from weights of wide knowledge does better on photos of other kinds with a share of
    the old weights, and often on its own, too. Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models".

    Args:
        trained: arrays by name.
        start: those that the training started from.
        start_share: share of the start, from 0 (as trained) to 1 (the start).
        new: names of values for which no weights were loaded at the start, where they mean nothing: they stay as
            trained.

    Raises:
        UserError: the share is out of range, or the states are not of one network.
    """
    if not 0 <= start_share <= 1:
        raise UserError(f"the start's share is a number from 0 to 1, not {start_share}.")
    mixed = mix([trained, start], [1 - start_share, start_share])
    return {name: trained[name] if name in new else value for name, value in mixed.items()}


def mix(states: Sequence[State], shares: Sequence[float]) -> dict[str, np.ndarray]:
    """Return the weighted sum of states; sums are made in float64, types stay.

    Raises:
        UserError: they are not of one network.
    """
    first = states[0]
    for state in states[1:]:
        other = {*first} ^ {*state} | {name for name in {*first} & {*state} if first[name].shape != state[name].shape}
        if other:
            raise UserError(
                f"these weights are not of one network: {len(other)} values differ in name or shape, such as "
                f"{sorted(other)[0]}. Average trainings of one config."
            )
    return {name: _weighted_sum([state[name] for state in states], shares) for name in first}


def _weighted_sum(values: Sequence[np.ndarray], shares: Sequence[float]) -> np.ndarray:
    wide = np.stack([np.asarray(value, np.float64) for value in values])
    return np.tensordot(np.asarray(shares), wide, axes=1).astype(values[0].dtype)


def sharpened(state: State, layers: Sequence[str], logit_scale: float) -> dict[str, np.ndarray]:
    """Return the state with its last layers' values multiplied: the same masks, of surer probabilities.

    Averages and labels of many minds leave networks less sure than a composite wants, whose background then shines
    through.

    Args:
        state: arrays by name.
        layers: beginnings of the names of the values that the logits are proportional to.
        logit_scale: the factor, above 0.

    Raises:
        UserError: a beginning fits nothing, or the factor is not above 0.
    """
    if logit_scale <= 0:
        raise UserError(f"the logits' scale is a number above 0, not {logit_scale}.")
    surer = {name: value * value.dtype.type(logit_scale) for name, value in named(state, layers).items()}
    return {**state, **surer}


def named(state: State, beginnings: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the values whose names begin with one of ``beginnings``.

    Raises:
        UserError: a beginning fits nothing.
    """
    for beginning in beginnings:
        if not any(name.startswith(beginning) for name in state):
            raise UserError(
                f"no value's name begins with '{beginning}'; the last ones are {', '.join(list(state)[-3:])}."
            )
    return {name: value for name, value in state.items() if name.startswith(tuple(beginnings))}


def halved(state: State) -> dict[str, np.ndarray]:
    """Return fractions as float16, which a network takes as its own type again.

    What float16 cannot hold stays: arrays of other types, and those with values that are too large for it.
    """
    return {name: _half_of(value) for name, value in state.items()}


def _half_of(value: np.ndarray) -> np.ndarray:
    largest = np.finfo(np.float16).max
    return value.astype(np.float16) if value.dtype.kind == "f" and np.abs(value).max(initial=0) <= largest else value
