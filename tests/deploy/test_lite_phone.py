"""The programs for phones give what the Predictor gives; a stand-in for Paddle Lite hands them the network's answer."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from paddle_portrait.data.synthesis import render_portrait
from paddle_portrait.export.golden import decode_vector
from paddle_portrait.inference import Predictor
from paddle_portrait.inference.deploy_file import DEPLOY_FILE, DeployFile, TargetFiles
from paddle_portrait.inference.outputs import person_probability
from paddle_portrait.preprocess import Preprocess
from paddle_portrait.preprocess.geometry import Padded
from paddle_portrait.zoo.released import read_table

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PICTURE_HW = (320, 240)
EXPORTS = sorted(name for name, entry in read_table().items() if entry.export)
NORMALIZE = {"type": "Normalize", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
# Steps, and what the graph ends in with how many channels.
OTHER_ROADS = {
    "padding": ([{"type": "Resize", "target_size": [100, 120], "keep_ratio": True},
                 {"type": "Padding", "target_size": [128, 128], "im_padding_value": 127.5}, NORMALIZE], "softmax", 2),
    "long side": ([{"type": "ResizeByLong", "long_size": 96}, {"type": "PaddingByAspectRatio", "aspect_ratio": 1.0},
                   NORMALIZE], "none", 2),
    "short side": ([{"type": "ResizeByShort", "short_size": 90, "max_size": 100},
                    {"type": "Normalize", "mean": [0.0], "std": [1.0], "colour": "bgr"}], "sigmoid", 1),
    "limit": ([{"type": "LimitLong", "max_long": 200}, {"type": "Normalize", "colour": "gray"}], "none", 1),
    "divisor": ([{"type": "Resize", "target_size": [100, 70], "size_divisor": 32}, NORMALIZE], "softmax", 3),
    "classes": ([{"type": "Resize", "target_size": [64, 64]}, NORMALIZE], "argmax", 0),
    "coarse logits": ([{"type": "Resize", "target_size": [64, 96]}, NORMALIZE], "none", 3),
}  # fmt: skip


@dataclass
class Case:
    """A picture, and what the program must hand to the network and make of its answer."""

    folder: Path
    picture: np.ndarray
    tensor: np.ndarray
    person: np.ndarray

    def given(self) -> np.ndarray:
        """Return the tensor that the program handed to the network."""
        return np.fromfile(self.folder / "model.nb.input", "<f4").reshape(self.tensor.shape)


@pytest.fixture(scope="module")
def make_case(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Case]:
    """Return a function that writes a case from a picture, a deploy.yaml and what answers for the network."""

    def make(picture: np.ndarray, deploy: dict, answer: Callable[[np.ndarray], np.ndarray]) -> Case:
        folder = tmp_path_factory.mktemp("case")
        (folder / "deploy.json").write_text(json.dumps(deploy), encoding="utf-8")
        picture.tofile(folder / "picture.rgb")
        (folder / "picture.ppm").write_bytes(b"P6\n%d %d\n255\n" % picture.shape[1::-1] + picture.tobytes())
        tensor, geometry = Preprocess.from_dict(deploy["paddle_portrait"]["preprocess"])(picture)
        if deploy["paddle_portrait"]["takes_prior"]:
            tensor = np.concatenate([tensor, np.zeros_like(tensor[:, :1])], axis=1)
        output = answer(tensor)
        header = np.array([output.ndim, *output.shape], "<i8").tobytes()
        (folder / "model.nb").write_bytes(header + output.astype("<f4").tobytes())
        person = person_probability(output, deploy["Deploy"]["output_op"])[0]
        return Case(folder, picture, tensor, geometry.restore(person))

    return make


def deploy_of(folder: Path, transforms: list[dict] | None = None, output_op: str | None = None) -> dict:
    """Return a deploy.yaml; with ``transforms`` one for a graph that does not exist, else that of ``folder``."""
    if transforms is not None:
        nodes = [dict(node) for node in transforms]
        entry = DeployFile(Preprocess.from_transforms(nodes), {}, nodes, [1, 3, -1, -1], output_op)
        entry.targets["paddlelite"] = TargetFiles("paddlelite/x86.nb")
        entry.write(folder)
    return yaml.safe_load((folder / DEPLOY_FILE).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def run_java(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[Case]], None]:
    """Return a function that runs the Android application, but for camera and screen, on cases of one size."""
    compiler, java = shutil.which("javac"), shutil.which("java")
    if compiler is None or java is None:
        pytest.skip("there is no JDK here (Debian, Ubuntu: apt-get install default-jdk-headless)")
    classes = tmp_path_factory.mktemp("classes")
    android = ROOT / "deploy/lite/android"
    sources = [*(android / "core").rglob("*.java"), *(HERE / "java").rglob("*.java")]
    sources.append(android / "app/src/main/java/portrait/app/LiteRunner.java")
    command = [compiler, "-Xlint:all,-options", "-Werror", "--release", "8", "-d", str(classes), *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    def run(cases: list[Case]) -> None:
        sizes = {case.picture.shape[:2] for case in cases}
        assert len(sizes) == 1
        arguments = [*map(str, *sizes), *(str(case.folder) for case in cases)]
        done = subprocess.run(
            [java, "-Xss4m", "-cp", str(classes), "portrait.check.GoldenCheck", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture(scope="module")
def lite_portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the C++ program against the stand-in for Paddle Lite; return it."""
    for tool in ("cmake", "g++"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool} here")
    stand_in = tmp_path_factory.mktemp("paddle_lite")
    shutil.copytree(HERE / "cpp/cxx", stand_in / "cxx")
    (stand_in / "cxx/lib").mkdir()
    library = stand_in / "cxx/lib/libpaddle_light_api_shared.so"
    commands = [
        ["g++", "-std=c++14", "-O1", "-shared", "-fPIC", "-o", str(library), str(HERE / "cpp/paddle_api.cc")],
        ["cmake", "-S", str(ROOT / "deploy/lite/cpp"), "-B", str(stand_in / "build"),
         f"-DPADDLE_LITE_DIR={stand_in}", "-DCMAKE_CXX_FLAGS=-Werror", "-DCMAKE_BUILD_TYPE=Debug"],
        ["cmake", "--build", str(stand_in / "build")],
    ]  # fmt: skip
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return stand_in / "build/lite_portrait"


@pytest.fixture(scope="module")
def golden_cases(make_case) -> dict[str, tuple[dict, Case]]:
    """Return the golden vector of every shipped export and its case, answered by ONNX Runtime."""
    cases = {}
    for name in EXPORTS:
        content = json.loads((ROOT / "tests/golden" / f"{name}.json").read_text(encoding="utf-8"))
        cases[name] = content["vector"], case_of(name, decode_vector(content)[0], make_case)
    assert cases and any(case.tensor.shape[1] == 4 for _, case in cases.values())  # one takes the previous mask
    return cases


@pytest.fixture(scope="module")
def portrait_case(make_case) -> Case:
    """Return a portrait that is larger than the network's input."""
    return case_of("mediapipe_selfie_general", render_portrait(7, PICTURE_HW)[0], make_case)


def case_of(name: str, picture: np.ndarray, make_case: Callable[..., Case]) -> Case:
    """Return the case of a shipped export with a picture."""
    predictor = Predictor.load(ROOT / "export_model" / name, backend="onnx", threads=1)
    return make_case(picture, deploy_of(predictor.directory), predictor.run)


@pytest.fixture(scope="module")
def other_cases(make_case, tmp_path_factory) -> dict[str, Case]:
    """Return cases with further steps and endings, answered at random."""
    rng = np.random.default_rng(5)
    picture = render_portrait(7, PICTURE_HW)[0]
    cases = {}
    for name, (transforms, output_op, channels) in OTHER_ROADS.items():

        def answer(tensor: np.ndarray, name=name, output_op=output_op, channels=channels) -> np.ndarray:
            height, width = tensor.shape[2:]
            if output_op == "argmax":
                return rng.integers(0, 3, (1, height, width)).astype(np.int32)
            coarse = rng.normal(0, 3, (1, channels, height // 8, width // 8)).astype(np.float32)
            if output_op == "sigmoid":
                coarse = 1 / (1 + np.exp(-coarse))
            elif output_op == "softmax":
                coarse = np.exp(coarse) / np.exp(coarse).sum(axis=1, keepdims=True)
            return np.stack([cv2.resize(one, (width, height)) for one in coarse[0]])[None]

        deploy = deploy_of(tmp_path_factory.mktemp("deploy"), transforms, output_op)
        cases[name] = make_case(picture, deploy, answer)
    return cases


def test_java_passes_the_golden_vectors(golden_cases, run_java) -> None:
    run_java([case for _, case in golden_cases.values()])
    for name, (vector, case) in golden_cases.items():
        check_vector(name, vector, case, java_person(case))


@pytest.mark.parametrize("road", ["padding", "long side", "divisor"])
def test_java_hands_the_last_mask_to_the_next_frame(road, make_case, run_java, tmp_path) -> None:
    transforms, _, _ = OTHER_ROADS[road]
    deploy = deploy_of(tmp_path, transforms, "sigmoid")
    deploy["paddle_portrait"]["takes_prior"] = True
    picture = render_portrait(7, PICTURE_HW)[0]
    rows = np.linspace(0, 1, 50, dtype=np.float32)[:, None]
    case = make_case(picture, deploy, lambda tensor: cv2.resize(rows * rows.T, tensor.shape[:1:-1])[None, None])
    run_java([case])
    geometry = Preprocess.from_dict(deploy["paddle_portrait"]["preprocess"])(picture)[1]
    prior = case.person
    for step in geometry.operations:
        prior = (replace(step, value=0.0) if isinstance(step, Padded) else step).apply(prior)
    second = np.fromfile(case.folder / "second.input", "<f4").reshape(case.tensor.shape)
    np.testing.assert_array_equal(second[:, :3], case.given()[:, :3])
    np.testing.assert_allclose(second[0, 3], prior, atol=1e-5)
    assert not case.given()[0, 3].any() and second[0, 3].max() > 0.5


def test_java_knows_every_step_and_ending(other_cases, portrait_case, run_java) -> None:
    cases = {**other_cases, "portrait": portrait_case}
    run_java(list(cases.values()))
    for name, case in cases.items():
        np.testing.assert_array_equal(case.given(), case.tensor, err_msg=name)
        np.testing.assert_allclose(java_person(case), case.person, atol=1e-5, err_msg=name)


def test_java_filters(portrait_case, run_java) -> None:
    case = portrait_case
    run_java([case])
    shown = {
        name: np.fromfile(case.folder / f"{name}.rgb", np.uint8).reshape(case.picture.shape)
        for name in ("NONE", "BLUR", "REPLACE", "GREY")
    }
    picture, person = case.picture.astype(int), case.person
    sure, background = person > 0.75, person < 0.25
    assert sure.mean() > 0.1 and background.mean() > 0.1
    np.testing.assert_array_equal(shown["NONE"], case.picture)
    for name in ("BLUR", "REPLACE", "GREY"):
        np.testing.assert_array_equal(shown[name][sure], case.picture[sure], err_msg=name)
    assert (shown["REPLACE"][background] == 200).all()
    grey = cv2.cvtColor(case.picture, cv2.COLOR_RGB2GRAY)[background].astype(int)
    assert np.abs(shown["GREY"][background] - grey[:, None]).max() <= 2
    reach = int(0.03 * min(PICTURE_HW))
    blurred = case.picture
    for _ in range(3):
        blurred = cv2.blur(blurred, (2 * reach + 1, 2 * reach + 1), borderType=cv2.BORDER_REPLICATE)
    assert np.abs(shown["BLUR"][background] - blurred[background].astype(int)).max() <= 8  # it rounds down, six times
    assert np.abs(shown["BLUR"][background] - picture[background]).mean() > 1


def test_cpp_passes_the_golden_vectors(golden_cases, lite_portrait, tmp_path) -> None:
    for name, (vector, case) in golden_cases.items():
        check_vector(name, vector, case, cpp_person(case, lite_portrait, tmp_path))


def test_cpp_knows_every_step_and_ending(other_cases, portrait_case, lite_portrait, tmp_path) -> None:
    for name, case in {**other_cases, "portrait": portrait_case}.items():
        found = cpp_person(case, lite_portrait, tmp_path)
        np.testing.assert_array_equal(case.given(), case.tensor, err_msg=name)
        assert np.abs(found - case.person).max() <= 0.51 / 255, name
        shown = cv2.imread(str(tmp_path / "out.ppm"))[..., ::-1].astype(int)
        expected = 255 + case.person[..., None] * (case.picture.astype(int) - 255)
        assert np.abs(shown - expected).max() <= 0.51, name


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--model is missing"),
        (["--model"], "has no value"),
        (["--modell", "x"], "'--modell' is not known"),
        (["--effect", "sepia"], "--model is missing"),
        (["--model", "M", "--input", "I", "--output", "O", "--effect", "sepia"], "--effect must be"),
        (["--model", "M", "--input", "I", "--output", "O", "--threads", "0"], "--threads must be"),
        (["--model", "M", "--input", "none.ppm", "--output", "O"], "'none.ppm' is no binary PPM"),
        (["--model", "none", "--input", "PICTURE", "--output", "O"], "'none/deploy.json' is missing"),
        (["--model", "NO_JSON", "--input", "PICTURE", "--output", "O"], "JSON, character"),
        (["--model", "NO_MODEL", "--input", "PICTURE", "--output", "O"], "cannot load"),
    ],
)
def test_cpp_says_what_is_wrong(flags, message, lite_portrait, other_cases, tmp_path) -> None:
    case = other_cases["classes"]
    deploy = json.loads((case.folder / "deploy.json").read_text(encoding="utf-8"))
    texts = {"NO_JSON": '{"Deploy": ', "NO_MODEL": json.dumps(deploy)}
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "deploy.json").write_text(text, encoding="utf-8")
    places = {**{name: tmp_path / name for name in texts}, "PICTURE": case.folder / "picture.ppm"}
    done = run([lite_portrait, *(places.get(flag, flag) for flag in flags)])
    assert done.returncode == 2
    assert message in done.stderr


def check_vector(name: str, vector: dict, case: Case, person: np.ndarray) -> None:
    """Compare a program's input tensor and answer with a golden vector."""
    np.testing.assert_array_equal(case.given(), case.tensor, err_msg=name)
    places, values = zip(*vector["tensor_samples"], strict=True)
    np.testing.assert_allclose(case.given().reshape(-1)[list(places)], values, atol=1e-5, err_msg=name)
    expected = decode_vector({"vector": vector})[1]
    np.testing.assert_allclose(person, expected, atol=vector["tolerance"] + 0.5 / 255, err_msg=name)


def java_person(case: Case) -> np.ndarray:
    """Return the probabilities that Java found."""
    return np.fromfile(case.folder / "person.f32", "<f4").reshape(case.person.shape)


def cpp_person(case: Case, program: Path, folder: Path) -> np.ndarray:
    """Run the C++ program and return its mask, which has 8 bits, as probabilities."""
    flags = ["--model", case.folder, "--input", case.folder / "picture.ppm", "--output", folder / "out.ppm"]
    done = run([program, *flags, "--mask", folder / "mask.pgm", "--effect", "white"])
    assert done.returncode == 0, done.stderr
    return cv2.imread(str(folder / "mask.pgm"), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255


def run(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a program and return what it said."""
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
