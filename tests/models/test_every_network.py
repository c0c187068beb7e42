"""One contract for every network: all configs in the folders of ``configs/``, and all networks registered here.

A new network or config is picked up by itself. Sizes are small, weights random. The few giants run with a fraction
of their width (``SMALLER``); the largest of all, PP-HumanSeg's server network, comes from paddleseg and has its
configs beside the folders, so it is not run here.
"""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_portrait.config import Config
from paddle_portrait.config.inheritance import load_tree
from paddle_portrait.config.nodes import Findings
from paddle_portrait.engine.trained import input_channels
from paddle_portrait.errors import UserError
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.options import ExportOptions
from paddle_portrait.export.targets import onnx as onnx_target
from paddle_portrait.models import as_seg_output, load_weights
from paddle_portrait.preprocess import Preprocess
from paddle_portrait.registry import BACKBONES, CHILD_REGISTRIES, HEADS, MODELS, Registry

ROOT = Path(__file__).resolve().parents[2]
# All networks are converted in the set-up of the first test that needs one.
pytestmark = pytest.mark.timeout(1800)
SMALL_HW = (64, 64)
AWKWARD_SIZES_HW = ((75, 101), (16, 24), (1, 1))
# Arguments with which a giant (more than ten million values) becomes small enough to be run here.
SMALLER: dict[str, dict[str, Any]] = {"FCN8s": {"width": 0.0625}, "UNet": {"width": 0.25}}


@dataclass(frozen=True)
class Case:
    """A network as a config, or its own defaults, describe it."""

    name: str
    node: Mapping[str, Any]
    channels: int

    def build(self) -> nn.Layer:
        """Return the network with random weights that make every value matter."""
        paddle.seed(0)
        network = MODELS.build_node({**self.node, **SMALLER.get(self.node["type"], {})})
        rng = np.random.default_rng(0)
        for name, value in network.state_dict().items():
            array = value.numpy()
            if name.endswith("_variance"):
                array = rng.uniform(0.5, 2.0, array.shape)
            elif array.ndim < 2:
                array = array + rng.normal(0, 0.1, array.shape)
            elif not array.any():
                array = rng.normal(0, np.prod(array.shape[1:]) ** -0.5, array.shape)
            value.set_value(paddle.to_tensor(np.asarray(array, np.float32)))
        network.eval()
        return network

    def images(self, count: int, size_hw: tuple[int, int] = SMALL_HW) -> paddle.Tensor:
        """Return random input, float32 count×channels×H×W."""
        shape = (count, self.channels, *size_hw)
        return paddle.to_tensor(np.random.default_rng(1).standard_normal(shape).astype(np.float32))


def own_types(node: Any) -> Iterator[tuple[str, str]]:
    """Yield (kind, type) of a model's node and of the networks, the backbone and the head in it."""
    yield "model", node["type"]
    for network in node.get("networks", ()):
        yield from own_types(network)
    yield from ((kind, node[kind]["type"]) for kind in ("backbone", "head") if isinstance(node.get(kind), dict))


def without_pretrained(node: Any) -> Any:
    """Return a node without the weights that it would load."""
    if isinstance(node, list):
        return [without_pretrained(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: without_pretrained(value) for key, value in node.items() if key != "pretrained"}


def essential(registry: Registry, node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node without the arguments that are the constructor's defaults anyway."""
    parameters = inspect.signature(registry.get(node["type"])).parameters
    kept = {}
    for key, value in node.items():
        if isinstance(value, dict) and key in CHILD_REGISTRIES:
            kept[key] = essential(CHILD_REGISTRIES[key], value)
        elif isinstance(value, list) and key in CHILD_REGISTRIES:
            kept[key] = [essential(CHILD_REGISTRIES[key], item) for item in value]
        elif key == "type" or value != parameters[key].default:
            kept[key] = value
    return kept


def configured_cases() -> dict[str, Case]:
    """Return each different network of the configs, by the name of the first config that has it."""
    cases: dict[str, Case] = {}
    for path in sorted(ROOT.glob("configs/[!_]*/*.yml")):
        tree = load_tree(str(path), Findings())
        assert tree is not None, path
        config = Config(str(path), tree)
        if config["model.type"] not in MODELS.own_names():
            continue
        node = essential(MODELS, without_pretrained(config["model"]))
        channels = input_channels(config, Preprocess.from_transforms(config.inference_transforms()))
        case = Case(f"{path.parent.name}/{path.stem}", node, channels)
        cases.setdefault(json.dumps([node, channels], sort_keys=True), case)
    return {case.name: case for case in cases.values()}


def default_cases(configured: Mapping[str, Case]) -> dict[str, Case]:
    """Return the registered networks in no config that can be built without arguments."""
    used = {case.node["type"] for case in configured.values()}
    cases = {}
    for name in set(MODELS.own_names()) - used:
        parameters = inspect.signature(MODELS.get(name)).parameters
        if all(parameter.default is not inspect.Parameter.empty for parameter in parameters.values()):
            channels = parameters["in_channels"].default if "in_channels" in parameters else 3
            cases[name] = Case(name, {"type": name}, channels)
    return cases


CONFIGURED = configured_cases()
CASES = {**CONFIGURED, **default_cases(CONFIGURED)}


@pytest.fixture(scope="module", params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    """Give every case in turn; module scope keeps the tests of one network together."""
    return CASES[request.param]


@pytest.fixture(scope="module")
def network(case: Case) -> nn.Layer:
    """Give the case's network, in evaluation mode."""
    return case.build()


@pytest.fixture(scope="module")
def size_hw(case: Case, network: nn.Layer) -> tuple[int, int]:
    """Give a small size that the network takes."""
    return accepted_size(case, network)


def refusal(case: Case, network: nn.Layer, size: tuple[int, int]) -> str | None:
    """Run the network at ``size``: return its refusal, or None when it answered, at that size."""
    try:
        logits = run(network, case.images(1, size))
    except UserError as error:
        return str(error)
    assert logits.shape[2:] == size, f"{case.name}: input {size}, output {logits.shape}"
    return None


def accepted_size(case: Case, network: nn.Layer) -> tuple[int, int]:
    """Return a small size that the network takes."""
    refused = refusal(case, network, SMALL_HW)
    return SMALL_HW if refused is None else nearest_size(refused)


def nearest_size(message: str) -> tuple[int, int]:
    """Return the size, height and width, that a refusal names."""
    found = re.search(r"nearest that it takes: (\d+) x (\d+)", message)
    assert found is not None, f"names no size that would do: {message}"
    return int(found[1]), int(found[2])


def run(network: nn.Layer, images: paddle.Tensor) -> np.ndarray:
    """Return the logits without keeping what gradients need."""
    with paddle.no_grad():
        return as_seg_output(network(images)).logits.numpy()


def probability(logits: np.ndarray, scale: float) -> np.ndarray:
    """Return class probabilities; ``scale`` brings the logits of a random network into the range of a trained one."""
    values = logits.astype(np.float64) / scale
    if values.shape[1] == 1:
        values = np.concatenate([np.zeros_like(values), values], axis=1)
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def assert_same(found: np.ndarray, expected: np.ndarray, limit: float) -> None:
    """Compare two answers as probabilities."""
    assert np.isfinite(expected).all() and np.ptp(expected) > 0
    scale = max(1.0, float(expected.std()))
    np.testing.assert_allclose(probability(found, scale), probability(expected, scale), rtol=0, atol=limit)


def test_every_parameter_gets_a_gradient(case: Case, size_hw: tuple[int, int]) -> None:
    network = case.build()
    network.train()
    output = as_seg_output(network(case.images(3, size_hw)))
    heads = [output.logits, *output.aux, *([] if output.boundary is None else [output.boundary])]
    rng = np.random.default_rng(2)
    losses = [(head * paddle.to_tensor(rng.standard_normal(head.shape).astype(np.float32))).mean() for head in heads]
    paddle.add_n(losses).backward()
    for name, parameter in network.named_parameters():
        if parameter.stop_gradient:
            continue
        assert parameter.grad is not None, f"{case.name}: '{name}' has no part in any output"
        gradient = parameter.grad.numpy()
        assert np.isfinite(gradient).all(), f"{case.name}: '{name}'"
        assert gradient.ndim < 2 or gradient.any(), f"{case.name}: the gradient of '{name}' is zero everywhere"


@pytest.mark.parametrize("size", AWKWARD_SIZES_HW)
def test_any_size_is_taken_or_refused_with_the_nearest(case: Case, network: nn.Layer, size: tuple[int, int]) -> None:
    refused = refusal(case, network, size)
    if refused is not None:
        assert refusal(case, network, nearest_size(refused)) is None


def test_evaluation_repeats_and_images_do_not_see_each_other(
    case: Case, network: nn.Layer, size_hw: tuple[int, int]
) -> None:
    images = case.images(3, size_hw)
    together = run(network, images)
    np.testing.assert_array_equal(run(network, images), together)
    alone = np.concatenate([run(network, images[index : index + 1]) for index in range(3)])
    assert_same(alone, together, 1e-5)


def test_only_training_runs_the_other_heads(case: Case, network: nn.Layer, size_hw: tuple[int, int]) -> None:
    with paddle.no_grad():
        output = as_seg_output(network(case.images(1, size_hw)))
    assert output.aux == () and output.boundary is None
    assert tuple(output.logits.shape[2:]) == size_hw


def test_saved_weights_give_the_same_output(
    case: Case, network: nn.Layer, size_hw: tuple[int, int], tmp_path: Path
) -> None:
    paddle.save(network.state_dict(), str(tmp_path / "model.pdparams"))
    other = MODELS.build_node({**case.node, **SMALLER.get(case.node["type"], {})})
    other.eval()
    report = load_weights(other, tmp_path / "model.pdparams")
    assert not (report.missing or report.unexpected or report.mismatched), report.summary()
    images = case.images(1, size_hw)
    np.testing.assert_array_equal(run(other, images), run(network, images))


@dataclass(frozen=True)
class Exported:
    """A network's traced graph, the input given to it, and its answer."""

    graph: Path
    onnx: Path
    images: np.ndarray
    logits: np.ndarray


@pytest.fixture(scope="module")
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Exported | Exception]:
    """Trace the networks of all tests that were selected, then convert them in as few processes as can be."""
    names = {
        item.callspec.params["case"]
        for item in request.session.items
        if item.path == request.path and "exported" in getattr(item, "fixturenames", ())
    }
    folder = tmp_path_factory.mktemp("networks")
    results: dict[str, Exported | Exception] = {}
    commands: list[list[str]] = []
    for index, name in enumerate(sorted(names)):
        try:
            results[name], command = trace(CASES[name], folder / str(index))
            commands.append(command)
        except Exception as error:  # told by that network's own tests
            results[name] = error
    convert(commands)
    return results


@pytest.fixture
def files(case: Case, exported: dict[str, Exported | Exception]) -> Exported:
    """Give what was exported of the case's network."""
    result = exported[case.name]
    if isinstance(result, Exception):
        raise result
    return result


def trace(case: Case, folder: Path) -> tuple[Exported, list[str]]:
    """Trace a network; return the files and the paths that the converter wants."""
    network = case.build()
    images = case.images(1, accepted_size(case, network))
    job = ExportJob(network, ExportOptions("none"), tuple(images.shape), folder)
    source, files = job.build("paddle")
    model, params = onnx_target.readable_copy(source, files, folder / "readable")
    result = folder / "model.onnx"
    return (
        Exported(source / files.model, result, images.numpy(), run(network, images)),
        [str(model), str(params), str(result)],
    )


def convert(commands: list[list[str]]) -> None:
    """Convert all models; where the converter ends on one of them, go on after it."""
    while commands:
        arguments = [path for command in commands for path in command]
        module = "paddle_portrait.export.onnx_child"
        subprocess.run(
            [sys.executable, "-m", module, str(onnx_target.OPSET), *arguments],
            cwd=ROOT,
            capture_output=True,
            check=False,
        )
        first_missing = next((i for i, command in enumerate(commands) if not Path(command[2]).is_file()), len(commands))
        commands = commands[first_missing + 1 :]


def dimensions(graph: Any) -> Iterator[list[int]]:
    """Yield the shape of every tensor in a graph of Paddle's JSON format."""
    if isinstance(graph, dict):
        if graph.get("#", "").endswith("t_dtensor"):
            yield graph["D"][1]
        graph = list(graph.values())
    if isinstance(graph, list):
        for part in graph:
            yield from dimensions(part)


def test_the_traced_graph_has_no_tensor_of_more_than_four_dimensions(case: Case, files: Exported) -> None:
    shapes = list(dimensions(json.loads(files.graph.read_text(encoding="utf-8"))))
    assert shapes
    assert max(map(len, shapes)) <= 4, f"{case.name}: {next(shape for shape in shapes if len(shape) > 4)}"


def test_onnx_gives_the_same_output(case: Case, files: Exported) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    assert files.onnx.is_file(), f"{case.name}: the converter ended on it"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(files.onnx), options, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: files.images})
    assert_same(found, files.logits, 1e-4)


@pytest.mark.parametrize(("kind", "registry"), [("model", MODELS), ("backbone", BACKBONES), ("head", HEADS)])
def test_everything_registered_is_run_here(kind: str, registry: Any) -> None:
    used = {name for case in CASES.values() for found, name in own_types(case.node) if found == kind}
    assert set(registry.own_names()) <= used, f"in no config: {sorted(set(registry.own_names()) - used)}"
