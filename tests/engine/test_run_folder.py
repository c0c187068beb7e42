"""A training never overwrites an earlier one unasked."""

import json

import pytest

from paddle_portrait.cli import train
from paddle_portrait.engine import distributed
from paddle_portrait.engine.run_folder import refuse_earlier_run, require_checkpoint
from paddle_portrait.errors import UserError


def content(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_second_training_into_the_folder_is_refused(config_file, tmp_path, capsys, monkeypatch):
    arguments = ["--config", str(config_file(iters=3)), "--save_dir", str(tmp_path / "run"), "--device", "cpu"]
    assert train.main([*arguments, "--do_eval"]) == 0
    before = content(tmp_path / "run")
    monkeypatch.setattr(distributed, "relaunch", lambda *_: pytest.fail("processes were started"))
    for more in ([], ["--nproc", "2"], ["--nproc", "auto"]):
        assert train.main([*arguments, *more]) == 2
        told = capsys.readouterr().err
        for part in (f"'{tmp_path / 'run'}' already holds a training, up to iteration 3 (history.jsonl, iter_3, "
                     "best_model)", "--resume_model auto", "--save_dir", "delete"):  # fmt: skip
            assert part in told
    assert content(tmp_path / "run") == before
    assert train.main([*arguments, "--resume_model", "auto", "--iters", "4"]) == 0
    assert (tmp_path / "run" / "iter_4").is_dir()


def test_stages_are_one_training_and_are_not_begun_twice(config_file, tmp_path, capsys):
    path = config_file("stages: [{name: head, iters: 2}, {name: all, iters: 2}]\n")
    arguments = ["--config", str(path), "--save_dir", str(tmp_path / "run"), "--device", "cpu"]
    assert train.main(arguments) == 0
    assert (tmp_path / "run" / "all" / "iter_2").is_dir()
    assert train.main(arguments) == 2
    assert f"'{tmp_path / 'run' / 'head'}' already holds a training, up to iteration 2" in capsys.readouterr().err
    assert train.main([*arguments, "--resume_model", "auto"]) == 0


@pytest.mark.parametrize("made", ["history.jsonl", "val/report.json", "train.log", "other_run/iter_5/model.pdparams"])
def test_what_no_training_would_overwrite_is_no_hindrance(tmp_path, made):
    (tmp_path / made).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / made).touch()  # a record without a row is of a run that ended before its first
    refuse_earlier_run(tmp_path)
    refuse_earlier_run(tmp_path / "absent", ["head"])


@pytest.mark.parametrize(
    ("rows", "folders", "told"),
    [
        ([7], [], r"up to iteration 7 \(history.jsonl\)"),
        ([], ["best_model"], r"already holds a training \(best_model\)"),
        ([9], [f"iter_{n}" for n in range(1, 9)], r"iteration 9 \(history.jsonl, iter_1, …, iter_6, iter_7, iter_8\)"),
    ],
)
def test_what_is_there_is_told(tmp_path, rows, folders, told):
    if rows:
        text = "".join(json.dumps({"kind": "train", "iteration": iteration}) + "\n" for iteration in rows)
        (tmp_path / "history.jsonl").write_text(text)
    for folder in folders:
        (tmp_path / folder).mkdir()
    with pytest.raises(UserError, match=told):
        refuse_earlier_run(tmp_path)


def checkpoints(folder, *names):
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "manifest.json").touch()
    return folder


@pytest.mark.parametrize("named", ["run/iter_7", "run/none/iter_7", "run"])
def test_a_resume_from_nowhere_names_the_checkpoints_near_it(config_file, tmp_path, capsys, monkeypatch, named):
    run = checkpoints(tmp_path / "run", "iter_20", "iter_100", "best_model")
    monkeypatch.setattr("paddle_portrait.engine.stages.train", lambda *_: pytest.fail("the training began"))
    arguments = ["--config", str(config_file()), "--save_dir", str(tmp_path / "new"), "--device", "cpu"]
    assert train.main([*arguments, "--resume_model", str(tmp_path / named)]) == 2
    told = capsys.readouterr().err
    assert f"no checkpoint at '{tmp_path / named}'" in told
    assert f"'{run}' holds iter_20, iter_100, best_model" in told and "--resume_model auto" in told
    assert not (tmp_path / "new").exists()


def test_a_resume_where_nothing_is_near_offers_auto(tmp_path):
    require_checkpoint(checkpoints(tmp_path, "iter_20") / "iter_20")
    with pytest.raises(UserError, match=r"there is no such folder\. Or give --resume_model auto"):
        require_checkpoint(tmp_path / "a" / "b" / "c")
