"""Two processes train as one does: the same losses, the same weights, one of them speaks."""

import json
import os
import subprocess
import sys

import pytest
import torch

import minibert as mb
from minibert.training import distributed

pytestmark = pytest.mark.long

TRAIN = """
import json, sys, torch, minibert as mb
from minibert.training import distributed

with distributed.processes():
    torch.manual_seed(0)
    config = mb.BERTConfig(30, dim=16, layers=2, heads=2, hidden=32, max_length=16,
                           dropout=0.0, attention_dropout=0.0)
    generator = torch.Generator().manual_seed(1)
    batches = []
    for _ in range(6):
        ids = torch.randint(1, 30, (5, 16), generator=generator)
        mask = (torch.arange(16) < torch.randint(6, 17, (5, 1), generator=generator)).long()
        masked = (torch.rand(5, 16, generator=generator) < 0.3) & (mask == 1)
        masked[:, 0], masked[:, 1] = False, True
        batches.append({"input_ids": ids, "attention_mask": mask,
                        "labels": ids.masked_fill(~masked, -100)})
    model = mb.heads.MaskedLM(mb.BERT(config))
    torch.manual_seed(2)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    history = mb.fit(model, batches, steps=12, accumulate=2, progress=False,
                     optimizer=mb.optim.adamw(model, 0.01))
    print("rank", distributed.rank(), "of", distributed.size())
    if distributed.rank() == 0:
        total = sum(float(p.detach().double().sum()) for p in model.parameters())
        json.dump({"loss": history.loss, "weights": total}, open(sys.argv[1], "w"))
"""


def launch(arguments, processes=1):
    """Run Python in so many processes; its output."""
    runner = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}", "--standalone"]
    command = [sys.executable, *(runner if processes > 1 else []), *arguments]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "MINIBERT_DEVICE": "cpu"}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_two_processes_learn_what_one_learns(tmp_path):
    """Masked words alone: the loss is a sum over targets, whoever has them."""
    script, found = tmp_path / "train.py", []
    script.write_text(TRAIN, "utf-8")
    for processes in (1, 2):
        out = tmp_path / f"{processes}.json"
        printed = launch([str(script), str(out)], processes)
        assert printed.count("rank") == 1 and f"rank 0 of {processes}" in printed
        found.append(json.loads(out.read_text("utf-8")))
    one, two = found
    assert one["loss"][0] > one["loss"][-1] + 0.05
    assert two["loss"] == pytest.approx(one["loss"], abs=1e-4)
    assert two["weights"] == pytest.approx(one["weights"], abs=1e-3)


def test_the_command_in_two_processes_writes_one_model(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(
        "\n".join(f"The cat {i % 7} sat on the mat. It ran." for i in range(400)), "utf-8"
    )
    out = tmp_path / "model"
    command = ["-m", "minibert", "pretrain", "gpt", "--corpus", str(text), "--out", str(out)]
    sizes = "--size 300 --dim 8 --layers 1 --heads 1 --length 16 --steps 6".split()
    printed = launch([*command, *sizes, "--checkpoint", str(tmp_path / "saved")], 2)
    assert printed.count("nats a piece") == 1 and printed.count("step 6 of 6") == 1
    assert mb.GPT.from_pretrained(out).config.dim == 8


def test_one_process_is_as_it_was():
    batch = {"x": torch.arange(6), "reset": True}
    assert distributed.share(batch) is batch
    assert (distributed.rank(), distributed.size(), distributed.total(3, "cpu")) == (0, 1, 3.0)


def test_rows_are_dealt_out_and_too_few_are_refused(monkeypatch):
    monkeypatch.setattr(distributed, "size", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    batch = {"x": torch.arange(5), "y": torch.arange(10).view(5, 2), "reset": True}
    found = distributed.share(batch)
    assert found["x"].tolist() == [1, 3] and found["y"][0].tolist() == [2, 3] and found["reset"]
    with pytest.raises(ValueError, match="at least 2 rows, one for each process, got 1"):
        distributed.share({"x": torch.arange(1)})
