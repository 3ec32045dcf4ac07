"""`minibert finetune --method`, and heads that are saved apart from the model they stand on."""

import json

import pytest
import torch

import minibert as mb
from minibert.commands import main as cli
from minibert.commands.finetune import bert, common, tasks
from minibert.heads import files

pytestmark = pytest.mark.long

KINDS = ("bad", "good")
TEXTS = [f"the {kind} film {i} was seen by the cat" for i in range(20) for kind in KINDS]
LABELS = list(KINDS) * 20
QUICK = ["--least", 1, "--epochs", 2, "--batch-size", 16]
ASKED = ["the bad film", "a good film"]
SHAPE = {"dim": 16, "layers": 1, "heads": 2, "hidden": 64, "dropout": 0.0, "max_length": 24}
RESTS = ("features", *mb.transfer.METHODS)


def made(kind, seed=0):
    """A tiny model that knows the words; a BERT has a pooler."""
    mb.seed_everything(seed)
    if kind == "bert":
        pieces = mb.text.WordPiece.train(TEXTS, 120)
        return mb.BERT(mb.BERTConfig(len(pieces), **SHAPE), pieces).eval()
    if kind == "gpt":
        pairs = mb.text.BPE.train(TEXTS, 300)
        return mb.GPT(mb.GPTConfig(len(pairs), **SHAPE), pairs).eval()
    vocab = mb.text.Vocab.train(TEXTS, specials=("<pad>", "<unk>", "<eod>"))
    return mb.AWDLSTM(mb.AWDLSTMConfig(len(vocab), 8, 8, 2, start_id=vocab["<eod>"]), vocab).eval()


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder that we are in, with ``my.csv`` and a folder for each kind of model."""
    monkeypatch.chdir(tmp_path)
    rows = (",".join(row) for row in zip(TEXTS, LABELS, strict=True))
    (tmp_path / "my.csv").write_text("\n".join(["text,label", *rows]), "utf-8")
    for kind in ("bert", "gpt", "awd-lstm"):
        made(kind).save_pretrained(tmp_path / kind)
    return tmp_path


def finetune(kind, method, *options, out="out"):
    given = ["--task", "my.csv", "--start", kind, "--out", out, "--method", method, *options]
    return cli.main(["finetune", kind, *map(str, given)])


def answers(capsys, *command):
    assert cli.main(["predict", *command]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "method"),
    [("bert", method) for method in RESTS]
    + [("gpt", method) for method in ("features", "lora", "prompts")],
)
def test_what_learned_is_saved_apart_and_read_back(kind, method, here, capsys):
    assert finetune(kind, method, *QUICK) == 0
    said = capsys.readouterr().out
    results = json.loads((here / "out" / "results.json").read_text("utf-8"))
    assert list(results["scores"]) == ["baseline", method]
    (run,) = results["scores"][method]
    rate = bert.RATES.get(method, 2e-3)
    assert results["options"]["method"] == method and results["options"]["rate"] == rate
    assert 0 < run[common.SHARE] < 1
    assert f", {run[common.SHARE]:.2%} of the weights learned," in said
    assert f"{kind} is not in " in said
    card = json.loads((here / "out" / "model" / "added.json").read_text("utf-8"))
    assert card["name"] == str((here / kind).resolve())  # found from any working directory
    folder = here / "out" / "model"
    kept = {path.name for path in folder.rglob("*")}
    assert kept == {files.HEAD, files.ADDED, "added.safetensors"}

    told = answers(capsys, "out", *ASKED)
    assert told.count("\n") == 2
    (here / kind).rename(here / "moved")  # the base is not where it was
    assert cli.main(["predict", "out", *ASKED]) == 1
    line = capsys.readouterr().err
    assert "was learned on is not found; give base" in line and line.count("\n") == 1
    assert answers(capsys, "--base", "moved", "out", *ASKED) == told
    head = mb.heads.SequenceClassifier.from_pretrained(folder, base=made(kind))
    assert mb.transfer.counts(head).share == run[common.SHARE]
    examples = common.as_examples(mb.data.load("my.csv"), "my.csv").split(*bert.SHARES)[2]
    task = tasks.TextTask(KINDS, 24)
    assert task.scores(head, list(examples)) == run["test"]


@pytest.mark.parametrize("method", ["features", "bitfit"])
def test_an_awd_lstm_rests_with_its_own_words(method, here, capsys):
    few = ["--classifier-epochs", 2, "--batch-size", 16]
    assert finetune("awd-lstm", method, *few) == 0
    assert "perplexity" not in capsys.readouterr().out  # it reads nothing of the task
    results = json.loads((here / "out" / "results.json").read_text("utf-8"))
    (run,) = results["scores"][method]
    assert 0 < run[common.SHARE] < 1
    assert answers(capsys, "out", *ASKED).count("\n") == 2
    head = mb.heads.load(here / "out" / "model", base=made("awd-lstm"))
    assert head.columns == list(KINDS)
    norm = head.head[0]  # batch norm: what it has seen is no parameter, and is saved too
    assert norm.num_batches_tracked > 0 and norm.running_mean.abs().sum() > 0


def test_what_does_not_go_is_one_line_and_leaves_no_folder(here, capsys):
    for kind, method, options, told in (
        ("bert", "bitfit", ["--size", "4"], "bitfit has no --size, only lora, adapters"),
        ("bert", "pal", ["--size", "5"], "size=5 must be a multiple of heads="),
        ("awd-lstm", "lora", [], "knows only --method full, features, bitfit, got 'lora'"),
        ("bert", "lora", ["--ways", "from scratch"], "stands for 'fine-tuned', which --ways"),
    ):
        assert finetune(kind, method, *options) == 1
        line = capsys.readouterr().err
        assert told in line and line.count("\n") == 1
        assert not (here / "out").exists()


def test_ways_stand_beside_a_method(here):
    both = ["--ways", "fine-tuned,features,from scratch", *QUICK]
    assert finetune("bert", "lora", *both) == 0
    results = json.loads((here / "out" / "results.json").read_text("utf-8"))
    shares = {way: runs[0].get(common.SHARE) for way, runs in results["scores"].items()}
    assert list(shares) == ["baseline", "lora", "features", "from scratch"]
    assert shares["from scratch"] == 1 > shares["lora"] > shares["features"] > 0


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("lora", {"rank": 2}),
        ("adapters", {"size": 2}),
        ("prompts", {"length": 2}),
        ("pal", {"size": 2, "heads": 2}),
    ],
)
def test_how_much_is_added_can_be_said(method, settings, here):
    assert finetune("bert", method, "--size", 2, *QUICK) == 0
    card = json.loads((here / "out" / "model" / "added.json").read_text("utf-8"))
    assert card["settings"] == settings


@pytest.mark.parametrize("method", ["lora", "prompts"])
def test_a_run_that_was_stopped_goes_on(method, here, monkeypatch):
    plain, seen = mb.heads.SequenceClassifier.loss, []

    def loss(self, batch):
        seen.append(len(batch["labels"]))
        if len(seen) == 7:  # the third of four of the second command
            raise KeyboardInterrupt
        return plain(self, batch)

    monkeypatch.setattr(mb.heads.SequenceClassifier, "loss", loss)
    assert finetune("bert", method, *QUICK, out="whole") == 0 and len(seen) == 4
    assert finetune("bert", method, *QUICK) == 130
    assert not (here / "out" / "results.json").exists()
    assert finetune("bert", method, *QUICK) == 0
    assert len(seen) == 7 + 2  # what was done is not done again
    one, other = (mb.heads.load(here / out / "model").state_dict() for out in ("whole", "out"))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


# in Python


def heads(kind):
    """A head of each class that takes texts, words, questions or documents, on a new model."""
    mix = mb.heads.LayerMix(made(kind), (-1, 0))
    found = [mb.heads.SequenceClassifier(mix, KINDS, pooling="mean")]
    found += [mb.heads.TokenClassifier(made(kind), KINDS, lstm=4)]
    found += [mb.heads.SpanExtractor(made(kind)), mb.heads.PoolingClassifier(made(kind), KINDS)]
    return [head.eval() for head in found]


@pytest.mark.parametrize("kind", ["bert", "gpt"])
def test_any_head_comes_back_on_its_base(kind, tmp_path):
    ids = torch.tensor([[2, 7, 9, 11], [2, 8, 3, 5]])
    for number, head in enumerate(heads(kind)):
        if number:
            mb.transfer.add(head, "lora", rank=2)
        for tensor in mb.transfer.saved._own(head).values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor))
        mb.transfer.save_added(head, tmp_path / str(number))
        base = made(kind)
        again = type(head).from_pretrained(tmp_path / str(number), base=base)
        assert mb.heads.head.base_of(again) is base and not again.training
        for one, other in zip(
            torch.atleast_1d(again(ids)), torch.atleast_1d(head(ids)), strict=True
        ):
            assert torch.equal(one, other)
        assert again.settings == head.settings


def test_a_head_on_a_table_that_rests_comes_back_on_it(tmp_path):
    table = mb.heads.Table((10, 4), mb.text.Vocab(["<pad>", "<unk>", *"abcdefgh"]))
    head = mb.heads.CNNClassifier(table, 2, freeze=True, channels=3).eval()
    mb.transfer.save_added(head, tmp_path)
    again = mb.heads.CNNClassifier.from_pretrained(tmp_path, base=table)
    ids = torch.tensor([[2, 7, 9, 4]])
    assert again.encoder is table and torch.equal(again(ids, ids > 0), head(ids, ids > 0))


def test_another_base_is_refused_and_given_back(tmp_path):
    head = heads("bert")[0]
    mb.transfer.save_added(head, tmp_path, base="bert")
    stranger = made("bert", seed=5).train()
    with pytest.raises(ValueError, match=r"on a model with other weights than this one \(bert\)"):
        mb.heads.load(tmp_path, base=stranger)
    base = made("bert").train()
    (tmp_path / "added.safetensors").write_bytes(mb.storage.checkpoint.pack({"x": torch.ones(1)}))
    with pytest.raises(ValueError):
        mb.heads.load(tmp_path, base=base)
    for model in (stranger, base):
        assert all(p.requires_grad for p in model.parameters())
        assert all(module.training for module in model.modules())


def test_what_is_no_such_folder_is_refused(tmp_path):
    head = mb.heads.SequenceClassifier(made("bert"), KINDS)
    head.save_pretrained(tmp_path / "whole")
    with pytest.raises(ValueError, match="has its own model: base is for what"):
        mb.heads.SequenceClassifier.from_pretrained(tmp_path / "whole", base="bert")
    mb.transfer.add(head, "bitfit")
    mb.transfer.save_added(head, tmp_path / "apart")
    with pytest.raises(ValueError, match="does not say what its base is called: give base"):
        mb.heads.load(tmp_path / "apart")
    with pytest.raises(ValueError, match="expected a SpanExtractor in"):
        mb.heads.SpanExtractor.from_pretrained(tmp_path / "apart", base=made("bert"))
    lent = made("bert")
    mb.transfer.add(lent, "lora")
    with pytest.raises(ValueError, match="lora was added to this model: remove or merge it first"):
        mb.heads.load(tmp_path / "apart", base=lent)
    mb.transfer.remove(head)
    head.save_pretrained(tmp_path / "apart")  # now it holds a whole model
    assert mb.heads.load(tmp_path / "apart").columns == list(KINDS)
