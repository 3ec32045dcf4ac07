import errno
import os
import random
import subprocess
import sys
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from minibert.storage import checkpoint
from minibert.storage import safe_files as files
from minibert.storage.checkpoint import Checkpoints, load_tensors, pack, save_folder, unpack
from minibert.storage.layout import read_files
from minibert.training.resume import random_state, set_random_state


def weights(value=1.0):
    return {"w": torch.full((3,), value), "b": torch.arange(2)}


def save(folder, *steps, keep=2):
    checkpoints = Checkpoints(folder, keep)
    for step in steps:
        checkpoints.save(step, weights(step), {"x": (1, [torch.ones(2)])}, {"note": "n"})
    return checkpoints


def test_round_trip(tmp_path):
    save(tmp_path, 7)
    tensors, training, record = Checkpoints(tmp_path).load()
    assert torch.equal(tensors["w"], torch.full((3,), 7.0))
    assert training["x"][0] == 1 and torch.equal(training["x"][1][0], torch.ones(2))
    assert (record["step"], record["note"]) == (7, "n")


def test_nothing_saved_yet(tmp_path):
    assert Checkpoints(tmp_path / "new").load() is None


def test_the_last_ones_are_kept(tmp_path):
    save(tmp_path, 1, 2, 30, 4000, keep=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000030", "step-00004000"]


def test_a_step_saved_again_does_not_take_the_old_one_away_first(tmp_path, monkeypatch):
    checkpoints = save(tmp_path, 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full_disk)
        with pytest.raises(OSError, match="the disk is full"):
            checkpoints.save(1, weights(5), {}, {})
    assert Checkpoints(tmp_path).load()[0]["w"][0] == 1
    checkpoints.save(1, weights(6), {}, {})
    checkpoints.save(1, weights(7), {}, {})
    assert Checkpoints(tmp_path).load()[0]["w"][0] == 7
    checkpoints.save(2, weights(8), {}, {})
    assert Checkpoints(tmp_path).load()[2]["step"] == 2


@pytest.mark.parametrize(
    "name", [checkpoint.WEIGHTS, checkpoint.TRAINING, checkpoint.RECORD, checkpoint.SUMS]
)
@pytest.mark.parametrize("fault", ["cut", "empty", "gone", "flipped"])
def test_a_damaged_one_is_passed_over(tmp_path, name, fault):
    save(tmp_path, 1, 2)
    path = tmp_path / "step-00000002" / name
    data = path.read_bytes()
    if fault == "gone":
        path.unlink()
    elif fault == "flipped":
        path.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    else:
        path.write_bytes(data[: len(data) // 2] if fault == "cut" else b"")
    with pytest.warns(UserWarning, match="step-00000002 is damaged .*trying the one before"):
        checkpoints = Checkpoints(tmp_path)
        assert checkpoints.load()[2]["step"] == 1
    checkpoints.save(3, weights(), {}, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000001", "step-00000003"]


def test_all_damaged(tmp_path):
    save(tmp_path, 1)
    (tmp_path / "step-00000001" / checkpoint.RECORD).write_text("[]")
    with pytest.warns(UserWarning, match="damaged"):
        assert Checkpoints(tmp_path).load() is None


def test_what_a_crash_left_is_not_read_and_goes(tmp_path):
    save(tmp_path, 1)
    (tmp_path / f"{checkpoint.PART}x").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Checkpoints(tmp_path).load()[2]["step"] == 1
    save(tmp_path, 2)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000002"]


def full_disk(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    checkpoints = save(tmp_path, 1)
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="step-00000002: the disk is full; free some space"):
        checkpoints.save(2, weights(), {}, {})
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]
    assert Checkpoints(tmp_path).load()[2]["step"] == 1


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    save_folder(tmp_path, {"a": 1}, weights(1))
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="the disk is full"):
        save_folder(tmp_path, {"a": 2}, weights(2))
    config, tensors = read_files(tmp_path)
    assert config == {"a": 1} and tensors["w"][0] == 1
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_the_system_really_says_so():
    with pytest.raises(OSError, match="the disk is full"), files.explained("x"):
        with open("/dev/full", "wb") as file:
            file.write(b"x" * 10_000)


@pytest.mark.parametrize("code, words", [(errno.EROFS, "read-only"), (errno.EACCES, "permission")])
def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch, code, words):
    def refuse(*args, **kwargs):
        raise OSError(code, "no")

    monkeypatch.setattr(files.tempfile, "mkstemp", refuse)
    with pytest.raises(OSError, match=words):
        save_folder(tmp_path, {}, weights())
    assert list(tmp_path.iterdir()) == []


def test_what_could_not_be_read_back_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"got float64 at training\['a'\]\[1\]"):
        Checkpoints(tmp_path).save(1, weights(), {"a": [1, np.float64(2)]}, {})
    assert list(tmp_path.iterdir()) == []


def test_a_pickle_that_runs_code_is_not_loaded(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "evil"),)

    save(tmp_path, 1)
    path = tmp_path / "step-00000001"
    torch.save(Evil(), path / checkpoint.TRAINING)
    names = (checkpoint.WEIGHTS, checkpoint.TRAINING, checkpoint.RECORD)
    sums = checkpoint._sums({name: (path / name).read_bytes() for name in names})
    (path / checkpoint.SUMS).write_bytes(sums)
    with pytest.warns(UserWarning, match="holds more than tensors"):
        assert Checkpoints(tmp_path).load() is None
    assert not (tmp_path / "evil").exists()


KILLED = """
import os, signal, sys, torch
from minibert.storage.checkpoint import Checkpoints
checkpoints, fsync, calls = Checkpoints(sys.argv[1]), os.fsync, []
def dying(number):
    calls.append(fsync(number))
    if len(calls) == 4 + int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = dying
for step in (1, 2):
    checkpoints.save(step, {"w": torch.full((3,), float(step))}, {}, {})
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs SIGKILL")
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_process_killed_while_it_saves(tmp_path, at):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(at)], timeout=120)
    tensors, _, record = Checkpoints(tmp_path).load()
    assert record["step"] == 1 and torch.equal(tensors["w"], torch.ones(3))


# Tensors and folders


def test_tied_and_odd_tensors_round_trip():
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {
        "a": base,
        "tied": base,
        "view": base[1],
        "turned": base.T,
        "none": torch.zeros(0),
        "half": torch.ones(2, dtype=torch.bfloat16),
        "flag": torch.tensor(True),
    }
    again = unpack(pack(tensors))
    assert again.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(again[name], tensor) and again[name].dtype == tensor.dtype
    assert again["tied"] is again["a"]
    large = torch.zeros(1000)
    assert len(pack({"a": large, "b": large})) < 5000


def test_damaged_tensors_are_a_value_error():
    data = pack(weights())
    for bad in (b"", data[:20], data[:-1], b"\xff" * 40):
        with pytest.raises(ValueError, match="not a whole safetensors file"):
            unpack(bad)


@dataclass
class Config:
    width: int = 3


def test_folder_round_trip(tmp_path):
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    save_folder(tmp_path / "new", Config(4), model.state_dict())
    config, tensors = read_files(tmp_path / "new")
    other = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    load_tensors(other, tensors)
    assert config == {"width": 4}
    for name, tensor in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor)


def test_tensors_that_do_not_fit_are_named_and_nothing_is_copied():
    model = nn.Linear(2, 3)
    before = model.bias.detach().clone()
    tensors = {"weight": torch.zeros(3, 4), "bias": torch.ones(3), "extra": torch.ones(1)}
    with pytest.raises(ValueError) as error:
        load_tensors(model, tensors, "here.safetensors")
    assert str(error.value) == (
        "the tensors of here.safetensors do not fit Linear: unexpected: extra; "
        "of another shape: weight is (3, 4), expected (3, 2)"
    )
    assert torch.equal(model.bias, before)
    with pytest.raises(ValueError, match="missing: weight, bias"):
        load_tensors(model, {})
    many = {f"x{i}": torch.ones(1) for i in range(30)}
    with pytest.raises(ValueError, match="x7 and 22 more"):
        load_tensors(model, {**model.state_dict(), **many})


def test_folders_that_are_not_whole(tmp_path):
    with pytest.raises(FileNotFoundError, match="no config.json and no model.safetensors"):
        read_files(tmp_path)
    save_folder(tmp_path, {}, weights())
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match="is damaged: not a whole safetensors file"):
        read_files(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="has no model.safetensors"):
        read_files(tmp_path)


def test_atomic_replaces_only_when_all_went_well(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with files.atomic(path) as file:
        file.write(b"old")
    with pytest.raises(RuntimeError), files.atomic(path) as file:
        file.write(b"new")
        raise RuntimeError
    assert path.read_bytes() == b"old" and len(list(path.parent.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_atomic_files_have_usual_permissions(tmp_path):
    mask = os.umask(0o022)
    try:
        with files.atomic(tmp_path / "file") as file:
            file.write(b"x")
    finally:
        os.umask(mask)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_random_states():
    def draw():
        return random.random(), np.random.rand(), np.random.randn(), torch.rand(3).tolist()

    np.random.randn()  # leaves half a pair behind
    state = random_state(torch.device("cpu"))
    first = draw()
    draw()
    set_random_state(state)
    assert draw() == first
