"""The demo deletes nothing but what an earlier demo made. (`make demo` itself is run by hand: it trains.)"""

from __future__ import annotations

from pathlib import Path

import pytest

from paddle_portrait.cli import demo


def test_a_folder_with_other_files_is_refused_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # the demo goes to the repository; afterwards the other tests are where they were
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    assert demo.main(["--save_dir", str(tmp_path)]) == 2
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "years of work"
    assert "--save_dir" in capsys.readouterr().err
