"""A mistyped zoo name is answered alike by every tool: the nearest name, then all of them."""

from __future__ import annotations

from types import ModuleType

import pytest

from paddle_portrait import zoo
from paddle_portrait.cli import analyze_model, export, predict, prune, train, val
from paddle_portrait.errors import UserError
from paddle_portrait.models.weights import weights_file

CONFIG = str(zoo.find_config("lite"))


@pytest.mark.parametrize("tool", [train, val, export, predict, prune, analyze_model])
@pytest.mark.parametrize("config", [[], ["--config", CONFIG]], ids=["alone", "with a config"])
def test_the_nearest_name_is_offered(
    tool: ModuleType, config: list[str], tmp_path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.png").touch()
    needed = {predict: ["--image_path", "photo.png"], prune: ["--ratio", "0.1", "--save_dir", "out"]}.get(tool, [])
    assert tool.main([*config, *needed, "--model_path", "lyte"]) == 2
    told = capsys.readouterr().err
    assert "no file or folder 'lyte' here, and unknown zoo name 'lyte'. Did you mean 'lite'?" in told
    assert all(name in told for name in zoo.NAMES)


def test_pretrained_weights_offer_it_too() -> None:
    with pytest.raises(UserError, match=r"no weights 'lyte' here.*Did you mean 'lite'"):
        weights_file("lyte")


def test_paths_are_told_as_paths() -> None:
    for path in ("run/lyte", "lyte.pdparams", ""):
        with pytest.raises(UserError, match=f"no weights at '{path}'.*zoo name"):
            weights_file(path)
