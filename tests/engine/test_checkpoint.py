"""Checkpoints are whole or absent; damage is found, said, and passed over."""

import hashlib
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import paddle
import pytest

from paddle_portrait.engine.checkpoint import (
    ARRAYS_FILE,
    MANIFEST_FILE,
    STATE_FILE,
    WEIGHTS_FILE,
    Checkpoint,
    CheckpointError,
    find_last_good,
    load_checkpoint,
    prune_checkpoints,
    save_checkpoint,
)
from paddle_portrait.errors import UserError


def example(value=1.0):
    weights = {"conv.weight": np.full((2, 3), value, np.float32), "bn._mean": np.zeros(3, np.float32)}
    arrays = {"optimizer/conv.weight@moment1_0": np.arange(6, dtype=np.float32)}
    return Checkpoint(weights, arrays, {"iteration": 7, "best": 0.123456789012345678, "none": None})


def test_what_is_saved_is_loaded(tmp_path):
    save_checkpoint(tmp_path / "iter_7", example())
    loaded = load_checkpoint(tmp_path / "iter_7")
    for got, wanted in ((loaded.weights, example().weights), (loaded.arrays, example().arrays)):
        assert set(got) == set(wanted)
        for name in wanted:
            np.testing.assert_array_equal(got[name], wanted[name])
            assert got[name].dtype == wanted[name].dtype
    assert loaded.state == example().state
    assert [path.name for path in tmp_path.iterdir()] == ["iter_7"]  # nothing half-made lies about


def test_paddle_reads_the_weights(tmp_path):
    save_checkpoint(tmp_path / "iter_7", example(3.0))
    assert paddle.load(str(tmp_path / "iter_7" / WEIGHTS_FILE))["conv.weight"].numpy().mean() == 3.0


@pytest.mark.parametrize("name", [WEIGHTS_FILE, ARRAYS_FILE, STATE_FILE, MANIFEST_FILE])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing"])
def test_damage_is_found_and_the_last_good_one_offered(tmp_path, name, damage):
    save_checkpoint(tmp_path / "iter_5", example())
    save_checkpoint(tmp_path / "iter_10", example())
    path = tmp_path / "iter_10" / name
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"The last good checkpoint there is '.*iter_5'"):
        load_checkpoint(tmp_path / "iter_10")
    assert find_last_good(tmp_path).name == "iter_5"


class _Evil:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (os.system, (f"touch {self.marker}",))


def _forge(directory, name, content):
    """Put ``content`` in place of a checkpoint's file, with a manifest that vouches for it."""
    (directory / name).write_bytes(content)
    manifest = json.loads((directory / MANIFEST_FILE).read_text())
    manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (directory / MANIFEST_FILE).write_text(json.dumps(manifest))


def test_malicious_files_are_refused_even_when_the_manifest_vouches_for_them(tmp_path):
    marker = tmp_path / "was_here"
    objects = io.BytesIO()
    np.savez(objects, a=np.array([_Evil(marker)], dtype=object))
    forgeries = {WEIGHTS_FILE: pickle.dumps({"conv.weight": _Evil(marker)}), ARRAYS_FILE: objects.getvalue()}
    for name, content in forgeries.items():
        save_checkpoint(tmp_path / "iter_1", example())
        _forge(tmp_path / "iter_1", name, content)
        with pytest.raises(UserError, match="refused"):
            load_checkpoint(tmp_path / "iter_1")
        assert not marker.exists()


def test_another_format_version_says_so(tmp_path):
    save_checkpoint(tmp_path / "iter_1", example())
    manifest = json.loads((tmp_path / "iter_1" / MANIFEST_FILE).read_text())
    (tmp_path / "iter_1" / MANIFEST_FILE).write_text(json.dumps({**manifest, "version": 99}))
    with pytest.raises(CheckpointError, match="format version 99; this release reads 1"):
        load_checkpoint(tmp_path / "iter_1")


def test_a_file_in_the_way_is_not_deleted(tmp_path):
    (tmp_path / "iter_3").write_text("precious")
    with pytest.raises(CheckpointError, match="is a file"):
        save_checkpoint(tmp_path / "iter_3", example())
    assert (tmp_path / "iter_3").read_text() == "precious"


def test_a_failure_while_writing_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    save_checkpoint(tmp_path / "best_model", example(1.0))

    def full_disk(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(CheckpointError, match="No space left"):
        save_checkpoint(tmp_path / "best_model", example(2.0))
    monkeypatch.undo()
    assert load_checkpoint(tmp_path / "best_model").weights["conv.weight"].mean() == 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["best_model"]


def test_a_death_between_the_two_renames_loses_nothing(tmp_path):
    save_checkpoint(tmp_path / "iter_4", example(4.0))
    os.replace(tmp_path / "iter_4", tmp_path / ".iter_4.old")  # as left behind by a kill at that moment
    assert find_last_good(tmp_path).name == "iter_4"
    assert load_checkpoint(tmp_path / "iter_4").weights["conv.weight"].mean() == 4.0


def test_pruning_keeps_the_newest_by_number(tmp_path):
    for number in (2, 10, 9):
        save_checkpoint(tmp_path / f"iter_{number}", example())
    (tmp_path / "best_model").mkdir()
    prune_checkpoints(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best_model", "iter_10", "iter_9"]


_SAVER = """
import sys
import numpy as np
from paddle_portrait.engine.checkpoint import Checkpoint, save_checkpoint
value = 0
while True:
    value += 1
    weights = {"a": np.full((300, 300), value, np.float32)}
    save_checkpoint(sys.argv[1] + "/iter_1", Checkpoint(weights, {"b": weights["a"]}, {"iteration": value}))
    print(value, flush=True)
"""


def test_sigkill_during_saves_always_leaves_a_good_checkpoint(tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", _SAVER, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        process.stdout.readline()  # one save is done; the next ones are under way
        time.sleep(float(rng.uniform(0, 0.1)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        loaded = load_checkpoint(find_last_good(tmp_path))
        assert (loaded.weights["a"] == loaded.state["iteration"]).all()
        assert (loaded.arrays["b"] == loaded.state["iteration"]).all()
