"""Disks that are full or cannot be written, and cells that are stopped: nothing is left half."""

import contextlib
import json
import os
import queue
import resource
import subprocess
import time

import numpy as np
import pytest
import torch
from jupyter_client import KernelManager
from torch import nn

import minibert as mb
from minibert.course.author.execute import OwnKernel
from minibert.course.learn import progress_file as record
from minibert.course.learn.checking import Outcome
from minibert.data import fetch
from minibert.data.registry import Entry, File
from minibert.models.word2vec import vectors
from minibert.storage.checkpoint import PART, Checkpoints
from minibert.text import BPE, ArrayBatches, Vocab, WordPiece

TEXT = "the cat sat on a mat . the dog ran far away ."
WORDS = TEXT.split()
SPACE = 256 << 10  # bytes of the small disk


class Line(nn.Module):
    """Least squares in one weight, and numbers that make its checkpoints large."""

    def __init__(self, padding=200_000):
        super().__init__()
        self.weight, self.padding = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(padding))

    def loss(self, batch):
        error = batch["x"] * self.weight - batch["y"]
        return (error**2).sum() + self.padding.sum() * 0, len(error)


def rows():
    x = np.linspace(1, 2, 12, dtype=np.float32)
    return ArrayBatches(4, x=x, y=3 * x)


def large_models():
    """A model of each of the five systems that the small disk does not hold."""
    vocab = Vocab.train([WORDS * 3])
    size, wide = len(vocab), 128
    yield mb.Word2Vec(mb.Word2VecConfig(size, 10_000), vocab)
    filters = ((1, wide), (2, wide))
    shape = {"dim": wide, "projection": 64, "filters": filters, "highway": 1}
    yield mb.ELMo(mb.ELMoConfig(size, **shape), vocab)
    yield mb.AWDLSTM(mb.AWDLSTMConfig(size, wide, wide, 2), vocab)
    shape = {"dim": wide, "layers": 1, "heads": 2, "hidden": 4 * wide, "max_length": 64}
    pieces = WordPiece.train([TEXT] * 3, 60)
    yield mb.BERT(mb.BERTConfig(len(pieces), **shape), pieces)
    pairs = BPE.train([TEXT] * 3, 40, "words")
    yield mb.GPT(mb.GPTConfig(len(pairs), **shape), pairs)


MODELS = {type(model).__name__: model for model in large_models()}


def mounted(folder, options):
    """Mount a small disk of memory at ``folder``; skips the test where that is not allowed."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    with contextlib.suppress(OSError):
        if subprocess.run(command, capture_output=True).returncode == 0:
            return folder
    pytest.skip("a small disk cannot be mounted here (it takes root)")


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 256 kB."""
    yield mounted(tmp_path / "disk", f"size={SPACE}")
    subprocess.run(["umount", str(tmp_path / "disk")], check=True)


@pytest.fixture
def read_only_disk(tmp_path):
    """A folder on a disk that even root cannot write to."""
    yield mounted(tmp_path / "disk", "ro")
    subprocess.run(["umount", str(tmp_path / "disk")], check=True)


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", MODELS)
def test_a_full_disk_when_a_model_is_saved(name, small_disk):
    model = MODELS[name]
    before = [tensor.clone() for tensor in model.state_dict().values()]
    with pytest.raises(OSError, match="the disk is full; free some space") as caught:
        model.save_pretrained(small_disk / "model")
    assert str(caught.value).count("\n") == 0
    assert not [path for path in files(small_disk) if path.stat().st_size > SPACE // 2]
    assert not [path for path in files(small_disk) if path.name.endswith(".part")]
    for tensor, old in zip(model.state_dict().values(), before, strict=True):
        assert torch.equal(tensor, old)


@pytest.mark.parametrize("name", MODELS)
def test_a_disk_that_cannot_be_written_when_a_model_is_saved(name, read_only_disk):
    with pytest.raises(OSError, match="the file system is read-only; choose another folder"):
        MODELS[name].save_pretrained(read_only_disk / "model")
    assert files(read_only_disk) == []


def test_a_full_disk_in_training_leaves_the_last_checkpoint_and_the_model(small_disk):
    (small_disk / "run").mkdir()
    model = Line(20_000)  # its checkpoint takes 240 kB with the optimiser's part: one fits, not two
    with pytest.raises(OSError, match="the disk is full; free some space"):
        mb.fit(
            model, rows(), steps=9, checkpoint=small_disk / "run", checkpoint_every=3,
            progress=False, device="cpu", optimizer=torch.optim.SGD(model.parameters(), 0.1),
        )  # fmt: skip
    assert not model.training and model.weight.grad is None
    assert torch.isfinite(model.loss(rows().of_epoch(0).__iter__().__next__())[0])
    assert not list((small_disk / "run").glob(f"{PART}*"))
    found = Checkpoints(small_disk / "run").load()
    assert found is None or found[2]["step"] % 3 == 0


def test_small_files_on_a_full_disk(small_disk, capsys, monkeypatch):
    (small_disk / "filler").write_bytes(bytes(SPACE))
    vocab, pieces = Vocab.train([WORDS * 3]), WordPiece.train([TEXT] * 3, 60)
    for save in (
        lambda: vocab.save(small_disk / "vocab.tsv"),
        lambda: pieces.save(small_disk / "vocab.txt"),
        lambda: BPE.train([TEXT] * 3, 40, "words").save(small_disk),
        lambda: vectors.write(small_disk / "v.txt", WORDS[:3], np.ones((3, 50))),
        lambda: vectors.write(small_disk / "v.gz", WORDS[:3], np.ones((3, 50))),
    ):
        with pytest.raises(OSError, match="the disk is full"):
            save()
    monkeypatch.setenv("MINIBERT_HOME", str(small_disk))
    record.remember(Outcome("01.x", "right", "", 1, 1, 0.0))
    assert "Your progress was not saved" in capsys.readouterr().out
    left = [path for path in files(small_disk) if path.stat().st_size and path.name != "filler"]
    assert left == []


def test_a_download_onto_a_full_disk(small_disk, monkeypatch):
    monkeypatch.setenv("MINIBERT_HOME", str(small_disk))

    def receive(url, file, part):
        for _ in range(64):
            part.write(bytes(64 << 10))

    monkeypatch.setattr(fetch, "_receive", receive)
    file = File("big", "0" * 64, 4 << 20, ("http://127.0.0.1/big",))
    with pytest.raises(OSError, match="the disk is full"):
        fetch.download(Entry("big", "", "", "", ()), file, tell=lambda line: None)
    assert files(small_disk) == []


def test_a_file_that_may_not_grow(tmp_path):
    """Where no disk can be mounted: the system itself stops the writing at 64 kB."""
    child = os.fork() if hasattr(os, "fork") else pytest.skip("needs fork")
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, 64 << 10))
        status = 1
        with contextlib.suppress(BaseException):
            try:
                MODELS["BERT"].save_pretrained(tmp_path / "model")
            except OSError as error:
                status = 0 if "larger than is allowed here" in str(error) else 2
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert files(tmp_path) == []


@pytest.mark.parametrize("place", ["file/folder", "file", "/proc/minibert/folder"])
def test_places_where_no_folder_can_be_made(place, tmp_path):
    (tmp_path / "file").write_text("here already")
    folder = tmp_path / place
    for save in (
        lambda: MODELS["BERT"].save_pretrained(folder),
        lambda: MODELS["Word2Vec"].save_pretrained(folder),
        lambda: Checkpoints(folder),
    ):
        with pytest.raises(OSError) as caught:
            save()
        told = str(caught.value)
        assert "\n" not in told and str(folder)[:6] in told
        assert "a file where a folder should be" in told or place.startswith("/proc")
    assert (tmp_path / "file").read_text() == "here already" and len(files(tmp_path)) == 1


# A cell that is stopped

SET_UP = """
import pathlib, torch, numpy as np, minibert as mb
from minibert.text import ArrayBatches
torch.set_num_threads(1)

class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.padding = torch.nn.Parameter(torch.zeros(50_000))
    def loss(self, batch):
        error = batch["x"] * self.weight - batch["y"]
        return (error**2).sum() + self.padding.sum() * 0, len(error)

class Begun:
    def on_step(self, run):
        pathlib.Path("begun").write_text(str(run.step))

def train(steps, **options):
    mb.seed_everything(0)
    x = np.linspace(1, 2, 64, dtype=np.float32)
    model = Line()
    history = mb.fit(model, ArrayBatches(4, x=x, y=3 * x), steps=steps, progress=False,
                     device="cpu", optimizer=torch.optim.Adam(model.parameters(), 1e-3), **options)
    return model, history
"""
STOPPED = "model, history = train(10**6, checkpoint='run', checkpoint_every=1, callbacks=[Begun()])"
AFTER = """
import json, os
left = [name for name in os.listdir("run") if name.startswith(".part-")]
loss, count = model.loss({"x": torch.ones(2), "y": torch.ones(2)})
steps = len(history) + 5
again = train(steps, checkpoint='run', callbacks=[Begun()])[1].loss
whole = train(steps, callbacks=[Begun()])[1].loss
print(json.dumps({"left": left, "finite": bool(torch.isfinite(loss)), "steps": len(history),
                  "training": model.training, "same": again == whole}))
"""


class Kernel:
    """A real kernel of this Python, in a folder of its own."""

    def __init__(self, folder):
        self.manager = KernelManager(kernel_spec_manager=OwnKernel())
        self.manager.start_kernel(cwd=str(folder))
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)

    def begin(self, code):
        return self.client.execute(code)

    def outcome(self, message, seconds=180):
        """What a cell printed, once it is done; an error becomes "ErrorName: message"."""
        said, deadline = "", time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                got = self.client.get_iopub_msg(timeout=5)
            except queue.Empty:
                continue
            if got["parent_header"].get("msg_id") != message:
                continue
            content = got["content"]
            if got["msg_type"] == "stream":
                said += content["text"]
            elif got["msg_type"] == "error":
                said += f"{content['ename']}: {content['evalue']}"
            elif got["msg_type"] == "status" and content["execution_state"] == "idle":
                return said
        raise TimeoutError(f"the cell was not done after {seconds} s; it said {said!r}")

    def run(self, code):
        return self.outcome(self.begin(code))

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(tmp_path):
    made = Kernel(tmp_path)
    assert made.run(SET_UP) == ""
    yield made
    made.close()


def interrupt(kernel, folder, wait):
    """Stop a training cell ``wait`` seconds after its third update; what it said.

    Before that, much is imported, and some of these modules swallow the interrupt.
    """
    (folder / "begun").unlink(missing_ok=True)
    cell = kernel.begin(STOPPED)
    deadline = time.monotonic() + 120
    while not (folder / "begun").exists() or int((folder / "begun").read_text() or 0) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(wait)
    kernel.manager.interrupt_kernel()
    return kernel.outcome(cell)


def stop_often(kernel, folder, times):
    for number in range(times):
        said = interrupt(kernel, folder, wait=0.05 * (number % 7))
        assert said.startswith("Interrupted: training stopped after step"), said
        assert "the model is usable as it is" in said and said.count("\n") == 1
        told = json.loads(kernel.run(AFTER).splitlines()[-1])
        assert told["left"] == [] and told["finite"] and told["same"] and not told["training"]


def test_a_stopped_cell_leaves_a_usable_model_and_no_half_file(kernel, tmp_path):
    stop_often(kernel, tmp_path, 1)


@pytest.mark.slow
def test_cells_stopped_again_and_again(kernel, tmp_path):
    stop_often(kernel, tmp_path, 20)
