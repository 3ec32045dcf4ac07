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
    assert printed.count("nats per piece") == 1 and printed.count("step 6 of 6") == 1
    assert mb.GPT.from_pretrained(out).config.dim == 8


def test_one_process_is_as_it_was():
    batch = {"x": torch.arange(6), "reset": True}
    assert distributed.share(batch) is batch
    assert (distributed.rank(), distributed.size(), distributed.total(3, "cpu")) == (0, 1, 3.0)


RESUMED = """
import json, sys, torch, minibert as mb
from minibert.training import distributed
from minibert.text import BPTTBatches

with distributed.processes():
    folder, steps = sys.argv[1], int(sys.argv[2])
    mb.seed_everything(0)
    model = mb.AWDLSTM(mb.AWDLSTMConfig(20, 8, 12, 2))
    batches = BPTTBatches([i * i % 20 for i in range(300)], 4, 7)
    history = mb.fit(model, batches, steps, checkpoint=folder, progress=False, patience=9,
                     valid=BPTTBatches([i % 20 for i in range(60)], 2, 7), valid_every=4)
    found = distributed.gathered({
        "loss": history.loss,
        "random": torch.get_rng_state().sum().item(),
        "stream": float(model.state[0][0].sum()),
        "weights": sum(float(p.detach().double().sum()) for p in model.parameters()),
    })
    if distributed.rank() == 0:
        print(json.dumps(found))
"""


def test_two_processes_go_on_as_if_they_had_never_stopped(tmp_path):
    """Each with its own dropout masks and its own streams."""
    script = tmp_path / "train.py"
    script.write_text(RESUMED, "utf-8")

    def run(folder, steps):
        printed = launch([str(script), str(tmp_path / folder), str(steps)], 2)
        return json.loads(printed.strip().splitlines()[-1])

    whole = run("a", 12)
    run("b", 7)
    assert run("b", 12) == whole
    first, second = whole
    assert first["weights"] == second["weights"] and first["loss"] == second["loss"]
    assert first["random"] != second["random"] and first["stream"] != second["stream"]


STOPPED = """
import os, signal, sys, torch, minibert as mb
from minibert.training import distributed

class Press:
    def on_step(self, run):
        if run.step == 5 and distributed.rank() == 1:
            os.kill(os.getpid(), signal.SIGINT)

class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def loss(self, batch):
        return ((self.weight - batch["x"]) ** 2).sum(), len(batch["x"])

with distributed.processes():
    history = mb.fit(Line(), [{"x": torch.ones(4)}], 50, checkpoint=sys.argv[1], progress=False,
                     callbacks=[Press()])
    assert len(history) == 5
"""


def test_ctrl_c_in_one_process_stops_them_all_at_the_same_update(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(STOPPED, "utf-8")
    printed = launch([str(script), str(tmp_path / "saved")], 2)
    assert printed.count("stopped after step 5;") == printed.count("Saved at step 5 in") == 1
    assert [p.name for p in (tmp_path / "saved").glob("step-*")] == ["step-00000005"]


def two(monkeypatch, rank):
    monkeypatch.setattr(distributed, "size", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: rank)


def shares(monkeypatch, batch):
    found = []
    for rank in range(2):
        two(monkeypatch, rank)
        found.append(distributed.share(batch))
    return found


def test_examples_of_several_sequences_stay_together(monkeypatch):
    examples = [
        {"input_ids": [[10 * i + j] * (i + 1) for j in range(3)], "labels": i % 3} for i in range(4)
    ]
    batches = mb.text.FramedBatches(examples, 4, shuffle=False, by_length=False)
    whole = next(iter(batches))
    first, second = shares(monkeypatch, whole)
    assert first["input_ids"][:, 0].tolist() == [0, 1, 2, 20, 21, 22]
    assert second["input_ids"][:, 0].tolist() == [10, 11, 12, 30, 31, 32]
    assert (first["labels"].tolist(), second["labels"].tolist()) == ([0, 2], [1, 0])
    head = mb.heads.MultipleChoice(
        mb.GPT(mb.GPTConfig(40, dim=8, layers=1, heads=2, hidden=8, max_length=8)), 3
    ).eval()
    parts = [head.loss(part) for part in (first, second)]
    loss, count = head.loss(whole)
    assert count == sum(n for _, n in parts) == 4
    torch.testing.assert_close(loss, parts[0][0] + parts[1][0])


def test_the_words_that_rows_point_into_go_to_every_process(monkeypatch):
    words = ["<S>", "</S>", "<unk>", *"abcdef"]
    vocab = mb.text.Vocab(words, specials=words[:3])
    sentences = [list("abc"), list("defa"), list("bead"), list("face")] * 3
    torch.manual_seed(0)
    model = mb.ELMo(
        mb.ELMoConfig(len(vocab), dim=6, projection=4, char_dim=3, filters=((1, 4),)), vocab
    ).eval()
    for lanes in (2, 4, 8):  # eight words, as many as the last has rows
        whole = next(iter(mb.text.BidirectionalBatches(sentences, vocab, lanes, 5)))
        parts = shares(monkeypatch, whole)
        assert all(torch.equal(p["characters"], whole["characters"]) for p in parts)
        (loss, count), found = model.loss(whole), [model.loss(part) for part in parts]
        assert count == sum(n for _, n in found)
        torch.testing.assert_close(loss, found[0][0] + found[1][0])


def test_rows_are_dealt_out_and_too_few_are_refused(monkeypatch):
    two(monkeypatch, 1)
    batch = {"x": torch.arange(5), "y": torch.arange(10).view(5, 2), "reset": True}
    found = distributed.share(batch)
    assert found["x"].tolist() == [1, 3] and found["y"][0].tolist() == [2, 3] and found["reset"]
    pair = distributed.share((torch.arange(4), [torch.arange(4) * 2], torch.tensor(7)))
    assert pair[0].tolist() == [1, 3] and pair[1][0].tolist() == [2, 6] and pair[2] == 7
    assert distributed.share(torch.arange(3)).tolist() == [1]
    with pytest.raises(ValueError, match="at least 2 rows, one for each process, got 1"):
        distributed.share({"x": torch.arange(1)})
    with pytest.raises(ValueError, match=r"one number of rows, .* got \[4, 8\]"):
        distributed.share({"x": torch.arange(4), "table": torch.zeros(8, 3)})
