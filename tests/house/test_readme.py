"""The READMEs say the same in both languages, and what they tell the user to type exists."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "README_cn.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# Joined here so that this file does not contain what it forbids.
MACHINE_PATHS = re.compile("|".join(["/wo" + "rk/", "/ro" + "ot/", r"\.\./sha" + "red", r"/ho" + r"me/\w+/"]))


def code_blocks(page: Path) -> list[str]:
    """Return the fenced blocks of a Markdown page, language line included."""
    return re.findall(r"^```.*?^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """Return the lines of a page's bash blocks that start one of our tools."""
    lines = "\n".join(block for block in code_blocks(page) if block.startswith("```bash")).replace("\\\n", " ")
    return [line for line in lines.splitlines() if re.search(r"(^|\s)tools/\w+\.py", line)]


def test_both_readmes_have_the_same_code_blocks() -> None:
    english, chinese = code_blocks(ROOT / "README.md"), code_blocks(ROOT / "README_cn.md")
    assert len(english) > 5
    assert english == chinese


def yaml_blocks() -> list[tuple[str, str]]:
    """Return (page, text) of every YAML block of the pages, the Chinese one left out as it has the same."""
    pages = [page for page in PAGES if page.name != "README_cn.md"]
    blocks = [(page.relative_to(ROOT).as_posix(), block) for page in pages for block in code_blocks(page)]
    return [
        (page, block.removesuffix("```").split("\n", 1)[1]) for page, block in blocks if block.startswith("```yaml")
    ]


@pytest.mark.parametrize(("page", "text"), yaml_blocks(), ids=[page for page, _ in yaml_blocks()])
def test_documented_configs_are_right(page: str, text: str, tmp_path: Path) -> None:
    from paddle_portrait.config import load_config

    if text.startswith("stages:"):  # its override is one of a config that has a schedule
        text = "_base_: configs/quickstart.yml\n" + text
    configs = f"{ROOT.as_posix()}/configs/"
    text = text.replace(" configs/", f" {configs}").replace("../_base_/", f"{configs}_base_/")
    (tmp_path / "example.yml").write_text(text, encoding="utf-8")
    config = load_config(str(tmp_path / "example.yml"))
    if page == "README.md":
        config.require("train")
        members = config["train_dataset"].get("datasets", [config["train_dataset"]])
        assert [member["train_path"] for member in members] == ["data/my_portraits/train.txt"]


def unknown_words(parser: argparse.ArgumentParser, words: list[str]) -> list[str]:
    """Return the flags that a command line gives and its parser, or its sub-command's, does not know."""
    commands = next((each for each in parser._actions if isinstance(each, argparse._SubParsersAction)), None)
    own = set(parser._option_string_actions)
    if commands is None:
        return _unknown(words, own)
    place = next(index for index, word in enumerate(words) if not word.startswith("-"))
    if words[place] not in commands.choices:
        return [words[place]]
    below = set(commands.choices[words[place]]._option_string_actions)
    return [*_unknown(words[:place], own), *_unknown(words[place:], below)]


def _unknown(words: list[str], known: set[str]) -> list[str]:
    return [word for word in words if word.startswith("--") and word.split("=")[0] not in known]


@pytest.mark.parametrize(
    ("words", "unknown"),
    [
        ("voc data/raw --out data/voc", []),
        ("voc data/raw --out data/voc --crowd person", ["--crowd"]),
        ("vox data/raw --out data/vox", ["vox"]),
        ("--outt=x coco data/raw --crowd=person", ["--outt=x"]),
    ],
)
def test_flags_are_those_of_the_sub_command(words: str, unknown: list[str]) -> None:
    from paddle_portrait.cli.prepare_data import build_parser

    assert unknown_words(build_parser(), words.split()) == unknown


@pytest.mark.parametrize(
    ("page", "command"), [(page.relative_to(ROOT).as_posix(), command) for page in PAGES for command in commands(page)]
)
def test_documented_commands_use_flags_that_exist(page: str, command: str) -> None:
    words = shlex.split(command, comments=True)
    place = next(index for index, word in enumerate(words) if re.fullmatch(r"tools/\w+\.py", word))
    tool = ROOT / words[place]
    assert tool.is_file(), f"{page} names {words[place]}"
    unknown = unknown_words(
        importlib.import_module(f"paddle_portrait.cli.{tool.stem}").build_parser(), words[place + 1 :]
    )
    assert not unknown, f"{page}: {command}"
    for config in re.findall(r"configs/\S+\.yml", command):
        assert (ROOT / config).is_file(), f"{page} names {config}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_and_pictures_exist(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        blocks = "\n".join(block for block in code_blocks(page) if block.startswith("```bash"))
        for line in re.findall(r"^make +([a-z -]+)", blocks, re.MULTILINE):
            for target in line.split():
                assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page.name}: make {target}"


def test_the_repository_names_no_path_of_one_machine() -> None:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    faults = []
    for name in listing.stdout.decode().split("\0"):
        path = ROOT / name
        if not path.is_file() or path.suffix in {".png", ".jpg", ".onnx", ".pdparams", ".pdiparams", ".npz"}:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if MACHINE_PATHS.search(line):
                faults.append(f"{name}:{number}: {line.strip()[:100]}")
    assert not faults, "\n".join(faults)
