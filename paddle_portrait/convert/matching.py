"""From the layers of a file to the state dict of a network of ours: by the order of execution, or by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import paddle
from paddle import nn

from paddle_portrait.console import logger
from paddle_portrait.convert.source import SourceLayer, SourceModel
from paddle_portrait.errors import UserError

_KINDS: tuple[tuple[type[nn.Layer], str], ...] = (
    (nn.Conv2DTranspose, "deconv"),
    (nn.Conv2D, "conv"),
    (nn.PReLU, "prelu"),
    (nn.BatchNorm2D, "batch_norm"),
    (nn.Linear, "linear"),
)
_CONVOLUTIONS = ("conv", "depthwise", "deconv")


class MatchError(UserError):
    """A file and a network are not the same network."""


@dataclass(frozen=True)
class NetworkLayer:
    """A layer of ours that holds values: its kind (as of a source layer), its place in the network, itself."""

    kind: str
    name: str
    layer: nn.Layer

    def shapes(self) -> dict[str, list[int]]:
        """Return the shapes of its parameters and statistics by their short names."""
        return {key: list(value.shape) for key, value in self.layer.state_dict().items()}

    def __str__(self) -> str:
        shapes = ", ".join(f"{key} {shape}" for key, shape in self.shapes().items())
        return f"{self.kind} '{self.name}' ({shapes})"


def executed_layers(network: nn.Layer, example_input: paddle.Tensor) -> list[NetworkLayer]:
    """Return the layers with values in the order in which evaluation runs them, each once."""
    order: list[NetworkLayer] = []
    handles = []
    for name, layer in network.named_sublayers():
        kind = _kind(layer)
        if kind is None:
            continue
        entry = NetworkLayer(kind, name, layer)
        handles.append(layer.register_forward_pre_hook(_noting(entry, order)))
    was_training = network.training
    network.eval()
    try:
        with paddle.no_grad():
            network(example_input)
    finally:
        for handle in handles:
            handle.remove()
        if was_training:
            network.train()
    return order


def _noting(entry: NetworkLayer, order: list[NetworkLayer]) -> Callable[..., None]:
    def note(*_: object) -> None:
        if entry not in order:
            order.append(entry)

    return note


def _kind(layer: nn.Layer) -> str | None:
    kind = next((kind for layer_type, kind in _KINDS if isinstance(layer, layer_type)), None)
    if kind == "conv" and layer._groups > 1 and layer._groups == layer._in_channels:
        return "depthwise"
    return kind


def match_by_execution(network: nn.Layer, source: SourceModel, example_input: paddle.Tensor) -> dict[str, np.ndarray]:
    """Pair the layers of ``network``, in the order in which they run, with those of ``source``.

    What converters change is undone: batch norms folded into the convolution before them are filled so that
    evaluation is exact (see :mod:`paddle_portrait.convert.batch_norm` for what training needs), kernels that were
    widened with zeros in place of a dilation are narrowed, biases of zero that a format demands are left out, and a
    linear layer may stand for a 1×1 convolution and the other way round. Layers that evaluation does not run
    (heads for training) are not part of the result.

    Args:
        network: to fill; it is not changed.
        source: what :func:`paddle_portrait.convert.source.read_source` returned.
        example_input: float N×C×H×W that the network takes.

    Returns:
        A state dict: float32 arrays by the network's own names.

    Raises:
        MatchError: naming the first pair that differs in kind or shape.
    """
    state: dict[str, np.ndarray] = {}
    remaining = _Remaining(source)
    for own in executed_layers(network, example_input):
        if own.kind == "batch_norm" and remaining.next_kind() != "batch_norm":
            values = remaining.folded_norm(own)
        else:
            values = remaining.pair(own)
        state.update({f"{own.name}.{key}": value for key, value in values.items()})
    remaining.refuse_leftovers()
    return state


@dataclass
class _Remaining:
    """The layers of a source that are not paired yet, and a bias that waits for a batch norm."""

    source: SourceModel
    _next: int = 0
    _bias: np.ndarray | None = None
    _own: NetworkLayer | None = None
    _pair: str = ""

    def next_kind(self) -> str | None:
        return self.source.layers[self._next].kind if self._next < len(self.source.layers) else None

    def folded_norm(self, own: NetworkLayer) -> dict[str, np.ndarray]:
        """Return the values of a batch norm that only adds the bias of the convolution before it."""
        shape = own.layer.weight.shape
        before = self._own
        if before is None or before.kind not in _CONVOLUTIONS or before.layer._out_channels != shape[0]:
            raise MatchError(
                f"the network runs {own} behind {before or 'no layer'}; '{self.source.path}' has no batch norm there, "
                "and cannot have folded it into a convolution."
            )
        bias = np.zeros(shape, np.float32) if self._bias is None else self._bias
        self._bias, self._own = None, own
        one = np.ones(shape, np.float32)
        # The running variance gets the epsilon added: this scale makes up for it.
        scale = one * np.float32(np.sqrt(1.0 + own.layer._epsilon))
        return {"weight": scale, "bias": bias, "_mean": np.zeros_like(one), "_variance": one}

    def pair(self, own: NetworkLayer) -> dict[str, np.ndarray]:
        """Return the values of the next source layer, fitted to ``own``."""
        self._refuse_waiting_bias()
        if self._next >= len(self.source.layers):
            raise MatchError(f"'{self.source.path}' has {self._next} layers and ends before {own} of the network.")
        theirs = self.source.layers[self._next]
        self._next, self._own = self._next + 1, own
        self._pair = f"layer {self._next}: {own} of the network, {theirs} of '{self.source.path}'"
        arrays = {_own_key(own, key): array for key, array in self._with_bias_of(own, theirs).items()}
        values = {key: _fit(key, array, own, self._pair) for key, array in arrays.items()}
        missing = own.shapes().keys() - values.keys()
        if missing:
            raise MatchError(f"the file's layer lacks {', '.join(sorted(missing))} at {self._pair}.")
        if theirs.kind == "batch_norm":
            _check_epsilon(own, theirs, self._pair)
        return values

    def _with_bias_of(self, own: NetworkLayer, theirs: SourceLayer) -> Mapping[str, np.ndarray]:
        """Keep a bias aside that belongs to a batch norm, folded by the file, that runs next."""
        if not _same_kind(own, theirs):
            raise MatchError(f"the first pair of different kinds is {self._pair}.")
        folded = own.kind in _CONVOLUTIONS and "bias" in theirs.arrays
        if not folded or "bias" in own.shapes():
            return theirs.arrays
        arrays = dict(theirs.arrays)
        bias = arrays.pop("bias")
        self._bias = bias if bias.any() else None
        return arrays

    def _refuse_waiting_bias(self) -> None:
        if self._bias is not None:
            raise MatchError(f"the file has a bias, the network neither one nor a batch norm behind it: {self._pair}.")

    def refuse_leftovers(self) -> None:
        self._refuse_waiting_bias()
        if self._next < len(self.source.layers):
            count = len(self.source.layers) - self._next
            raise MatchError(
                f"the network has run all of its layers, and '{self.source.path}' goes on with {count} more, the "
                f"first: {self.source.layers[self._next]}. Is the network's variant the right one?"
            )


def _own_key(own: NetworkLayer, key: str) -> str:
    """Return what Paddle calls a value: the slopes of a PReLU have a name of their own."""
    return "_weight" if own.kind == "prelu" and key == "weight" else key


def _same_kind(own: NetworkLayer, theirs: SourceLayer) -> bool:
    if own.kind == theirs.kind:
        return True
    if {own.kind, theirs.kind} == {"conv", "linear"}:
        shapes = (own.shapes()["weight"], list(theirs.arrays["weight"].shape))
        return all(shape[2:] in ([], [1, 1]) for shape in shapes)
    return False


def _check_epsilon(own: NetworkLayer, theirs: SourceLayer, pair: str) -> None:
    epsilon = theirs.attributes.get("epsilon")
    if epsilon is not None and not np.isclose(epsilon, own.layer._epsilon, rtol=1e-3):
        raise MatchError(f"batch norms add different epsilons, {own.layer._epsilon:g} and {epsilon:g}: {pair}.")


def _fit(key: str, array: np.ndarray, own: NetworkLayer, pair: str) -> np.ndarray:
    """Return ``array`` in the shape of the network's parameter ``key``."""
    shapes = own.shapes()
    if key not in shapes:
        raise MatchError(f"the network's layer has no {key}: {pair}.")
    shape = shapes[key]
    if list(array.shape) == shape:
        return array
    if key == "weight" and array.ndim == 2 and len(shape) == 4:  # linear I×O for a convolution O×I×1×1
        array = array.T[:, :, None, None]
    elif key == "weight" and array.ndim == 4 and len(shape) == 2:
        array = array[:, :, 0, 0].T
    elif key == "weight" and array.ndim == 4 == len(shape):
        array = _without_stuffing(array, own.layer)
    if list(array.shape) != shape:
        raise MatchError(f"the first pair of different shapes is {pair}.")
    return np.ascontiguousarray(array)


def _without_stuffing(array: np.ndarray, layer: nn.Layer) -> np.ndarray:
    """Narrow a kernel that stands for a dilated one by rows and columns of zeros."""
    steps = getattr(layer, "_dilation", [1, 1])
    steps = [steps, steps] if isinstance(steps, int) else list(steps)
    narrow = array[:, :, :: steps[0], :: steps[1]]
    return narrow if np.count_nonzero(narrow) == np.count_nonzero(array) else array


@dataclass(frozen=True)
class NameMatch:
    """Outcome of :func:`pair_names`.

    Attributes:
        state: float32 arrays by the network's names.
        unmatched_source: names of the file, as renamed, that the network lacks.
        unmatched_network: names of the network that the file lacks.
    """

    state: dict[str, np.ndarray]
    unmatched_source: list[str]
    unmatched_network: list[str]


def match_by_name(
    network: nn.Layer, source: SourceModel, renames: Sequence[tuple[str, str]] = ()
) -> dict[str, np.ndarray]:
    """Pair the values of ``source`` with those of ``network`` by name; what has no partner is logged.

    Args:
        network: to fill; it is not changed.
        source: of a PyTorch file, as a rule.
        renames: (regular expression, replacement) applied to each name of the file, all of them, in this order.
            Names of statistics are Paddle's already (``_mean``, ``_variance``).

    Returns:
        A state dict: float32 arrays by the network's own names.

    Raises:
        MatchError: two names become one, a pair differs in shape, or nothing matches.
    """
    match = pair_names(network, source, renames)
    for kind, names in (("the file", match.unmatched_source), ("the network", match.unmatched_network)):
        if names:
            logger.warning("%d keys of %s have no partner: %s", len(names), kind, ", ".join(names))
    return match.state


def pair_names(network: nn.Layer, source: SourceModel, renames: Sequence[tuple[str, str]] = ()) -> NameMatch:
    """Do the work of :func:`match_by_name` and return what found no partner, too."""
    renamed: dict[str, str] = {}
    for name in source.named_arrays():
        new = name
        for pattern, replacement in renames:
            new = re.sub(pattern, replacement, new)
        if new in renamed:
            raise MatchError(f"'{renamed[new]}' and '{name}' of '{source.path}' are both renamed to '{new}'.")
        renamed[new] = name
    arrays = source.named_arrays()
    state = {}
    found = set()
    for key, own in _parameters(network):
        names = [f"{own.name}.{alias}".removeprefix(".") for alias in _aliases(own, key)]
        for name in (name for name in names if name in renamed):
            array = arrays[renamed[name]]
            pair = f"{own} of the network, '{renamed[name]}' {list(array.shape)} of '{source.path}'"
            state[names[0]] = _fit(key, array, own, pair)
            found.add(name)
    own_names = list(network.state_dict())
    if not state:
        raise MatchError(
            f"no key of '{source.path}' (first: {', '.join(list(renamed)[:3])}) is one of the network's (first: "
            f"{', '.join(own_names[:3])})."
        )
    return NameMatch(
        state, [name for name in renamed if name not in found], [name for name in own_names if name not in state]
    )


def _aliases(own: NetworkLayer, key: str) -> list[str]:
    return [key, "weight"] if own.kind == "prelu" and key == "_weight" else [key]


def _parameters(network: nn.Layer) -> Iterator[tuple[str, NetworkLayer]]:
    """Yield each parameter and statistic as its short name and the layer that owns it."""
    for name, layer in network.named_sublayers(include_self=True):
        own = NetworkLayer(_kind(layer) or "layer", name, layer)
        for key in layer.state_dict(include_sublayers=False):
            yield key, own
