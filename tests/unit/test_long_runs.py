"""Ctrl-C in `minibert pretrain` and `minibert finetune`: it saves, and the command goes on."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import minibert as mb
from minibert.commands import main as cli
from minibert.commands import recipes
from minibert.commands.pretrain import common

pytestmark = pytest.mark.long

SMALL = {
    "gpt": "--size 300 --dim 8 --layers 1 --heads 2 --length 16 --batch-size 8 --steps 12",
    "bert": "--size 60 --dim 8 --layers 1 --heads 2 --length 16 --batch-size 8 --steps 12",
    "awd-lstm": "--dim 6 --hidden 8 --layers 2 --epochs 2 --batch-size 8 --bptt 12",
    "elmo": "--dim 6 --projection 4 --layers 1 --char-dim 3 --filters 1:4,2:4 --epochs 1 "
    "--batch-size 8 --bptt 12",
}
MODELS = {"gpt": mb.GPT, "bert": mb.BERT, "awd-lstm": mb.AWDLSTM, "elmo": mb.ELMo}


@pytest.fixture(autouse=True)
def listening():
    """Python handles Ctrl-C, as it does not where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "text.txt"
    lines = (f"The {'cat dog cow'.split()[i * i % 3]} sat on mat {i % 7}." for i in range(240))
    path.write_text("\n".join(lines), "utf-8")
    return path


def pretrain(model, corpus, out, *options):
    start = ["pretrain", model, "--corpus", str(corpus), "--out", str(out)]
    more = () if model not in SMALL else SMALL[model].split()
    if model == "bert":
        more = [*more, "--no-next-sentence"]
    return cli.main([*start, *more, *options])


class Press:
    """As a person would: once, after some updates."""

    def __init__(self, step):
        self.step = step

    def on_step(self, run):
        if run.step == self.step:
            signal.raise_signal(signal.SIGINT)


def press_in(monkeypatch, module, step):
    fit = module.fit

    def pressed(*args, callbacks=(), **options):
        return fit(*args, callbacks=[*callbacks, Press(step)], **options)

    monkeypatch.setattr(module, "fit", pressed)
    return lambda: monkeypatch.setattr(module, "fit", fit)


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("model", SMALL)
def test_a_pretraining_that_is_interrupted_goes_on(
    corpus, tmp_path, monkeypatch, capsys, model, asked
):
    whole, out, saved = tmp_path / "whole", tmp_path / "out", tmp_path / "saved"
    options = ["--checkpoint", str(saved)] if asked else []
    folder = saved if asked else out / "checkpoints"
    assert pretrain(model, corpus, whole) == 0
    assert not (whole / "checkpoints").exists()
    module = importlib.import_module(f"minibert.commands.pretrain.{model.replace('-', '_')}")
    release = press_in(monkeypatch, module, 5)
    capsys.readouterr()
    assert pretrain(model, corpus, out, *options) == 130
    said = capsys.readouterr()
    assert "training stopped after step 5;" in said.out
    assert f"Saved at step 5 in {folder}, where" in said.out
    assert "stopped by you (Ctrl-C)" in said.err
    assert out.exists() is not asked  # an empty folder is not left behind
    release()
    assert pretrain(model, corpus, out, *options) == 0
    assert folder.exists() is asked
    a, b = (MODELS[model].from_pretrained(one).state_dict() for one in (whole, out))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_word_vectors_go_on_too(tmp_path, monkeypatch, capsys):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat and the dog sat on the cow . " * 3000, "utf-8")
    options = ["--dim", "8", "--epochs", "4", "--workers", "1", "--subsample", "0"]
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert pretrain("word2vec", path, whole, *options) == 0
    update, made = mb.models.word2vec.fast.Tables.update, []

    def pressed(self, step, rate):
        made.append(update(self, step, rate))
        if len(made) == 150:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)

    monkeypatch.setattr(mb.models.word2vec.fast.Tables, "update", pressed)
    assert pretrain("word2vec", path, out, *options) == 130
    assert f"Saved in {out / 'checkpoints'}" in capsys.readouterr().out
    monkeypatch.setattr(mb.models.word2vec.fast.Tables, "update", update)
    assert pretrain("word2vec", path, out, *options) == 0
    assert not (out / "checkpoints").exists()
    a, b = (mb.Word2Vec.from_pretrained(one).state_dict() for one in (whole, out))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_minutes_are_counted_once(corpus, tmp_path, monkeypatch, capsys):
    from minibert.commands.pretrain import bert

    monkeypatch.setattr(bert, "seconds_a_step", lambda *_: 0.5)
    monkeypatch.setitem(SMALL, "bert", SMALL["bert"].replace("--steps 12", "--minutes 0.1"))
    release = press_in(monkeypatch, bert, 4)
    assert pretrain("bert", corpus, tmp_path / "out") == 130
    release()
    monkeypatch.setattr(bert, "seconds_a_step", None)  # not measured again
    assert pretrain("bert", corpus, tmp_path / "out") == 0
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "12 updates" in card


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name == "nt", reason="needs SIGINT")
def test_ctrl_c_at_the_prompt(corpus, tmp_path):
    """The command in a process of its own, and a signal from outside."""
    out = tmp_path / "model"
    more = SMALL["gpt"].replace("--steps 12", "--steps 100000").split()
    command = [sys.executable, "-m", "minibert", "pretrain", "gpt", "--corpus", str(corpus)]
    process = subprocess.Popen([*command, "--out", str(out), *more], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    while "step" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "where the same call goes on" in said and "Ctrl-C" in errors
    assert "Traceback" not in errors
    assert list((out / "checkpoints").glob("step-*"))


def test_a_command_that_fails_leaves_no_folder(tmp_path, capsys):
    for arguments in (
        ["pretrain", "gpt", "--corpus", "no-such"],
        ["pretrain", "word2vec", "--corpus", "no-such"],
        ["finetune", "bert", "--task", "no-such", "--start", "minibert-bert"],
        ["finetune", "bert", "--task", "nli", "--start", "no-such"],
        ["finetune", "awd-lstm", "--task", "imdb", "--start", "no-such"],
    ):
        assert cli.main([*arguments, "--out", str(tmp_path / "new" / "folder")]) == 1
        assert not (tmp_path / "new").exists(), arguments
    existing = tmp_path / "existing"
    existing.mkdir()
    assert cli.main(["pretrain", "gpt", "--corpus", "no-such", "--out", str(existing)]) == 1
    assert existing.exists()
    (existing / "a").write_text("b", "utf-8")
    capsys.readouterr()
    assert cli.main(["pretrain", "gpt", "--corpus", "no-such", "--out", str(existing)]) == 1
    assert "exists and is not empty" in capsys.readouterr().err
    assert cli.main(["pretrain", "gpt", "--corpus", "x", "--out", str(existing / "a")]) == 1
    assert "is a file" in capsys.readouterr().err


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("model", ["bert", "awd-lstm"])
def test_a_training_that_fails_leaves_no_folder(model, asked, starts, tmp_path, capsys):
    task = tmp_path / "task.csv"
    rows = (f"the {kind} film {i},{kind}" for i in range(20) for kind in ("good", "bad"))
    task.write_text("\n".join(["text,label", *rows]), "utf-8")
    more = ["--checkpoint", str(tmp_path / "saved")] if asked else []
    more += {"bert": ["--rate"], "awd-lstm": ["--target-epochs", "9", "--target-rate"]}[model]
    command = ["finetune", model, "--task", str(task), "--start", str(starts / model)]
    assert cli.main([*command, "--out", str(tmp_path / "out"), *more, "1e38"]) == 1
    assert "the loss is nan" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["task.csv"]


def test_too_few_documents_are_counted_and_asked_for(tmp_path, capsys):
    path = tmp_path / "titles.txt"
    titled = ("\n".join(["", f" = Title {i} = ", ""] + ["A cat sat here ."] * 50) for i in range(3))
    path.write_text("\n".join(titled), "utf-8")
    command = ["pretrain", "bert", "--corpus", str(path), "--out", str(tmp_path / "out")]
    assert cli.main(command) == 1
    said = capsys.readouterr().err
    assert "has too few documents" in said and "expected at least 4, got 3; a title" in said
    for fewest in (1, 2, 3, 5):
        least = common.least_of(fewest)
        for count in (least - 1, least):
            held_out = len(range(0, count, max(2, min(common.EVERY, count // 4))))
            assert (min(held_out, count - held_out) >= fewest) is (count == least)


@pytest.mark.parametrize("command", ["pretrain", "finetune"])
def test_help_names_the_recipes_of_its_own_model(command, capsys):
    package = f"minibert.commands.{command}"
    for name in importlib.import_module(package).MODELS:
        with pytest.raises(SystemExit):
            cli.main([command, name, "--help"])
        told = "".join(capsys.readouterr().out.split())
        for recipe, options in recipes.recipes(package).items():
            told_of = f":{recipe}" in told or f",{recipe}" in told
            own = options["model"] == name
            if own or command == "pretrain":
                assert told_of is own, (name, recipe)


def results(folder):
    found = json.loads(Path(folder, "results.json").read_text("utf-8"))
    for runs in found["scores"].values():
        for run in runs:
            run.pop("seconds", None)
    found["options"].pop("out", None)
    return found


FINETUNED = {
    "bert": "--seeds 2 --labels 24 --valid 20 --test 20 --epochs 2 --batch-size 8 "
    "--ways fine-tuned,features",
    "awd-lstm": "--seeds 2 --labels 12 --texts 60 --test 20 --length 30 --target-epochs 1 "
    "--classifier-epochs 2 --batch-size 6",
}


@pytest.fixture(scope="module")
def starts(tmp_path_factory):
    """Small models to start from, and labelled texts."""
    folder = tmp_path_factory.mktemp("starts")
    kinds = ["good", "bad"] * 100
    texts = [f"the {kind} film {i % 7} was seen by the cat" for i, kind in enumerate(kinds)]
    tokenizer = mb.text.WordPiece.train(texts, 80)
    config = mb.BERTConfig(len(tokenizer), dim=8, layers=1, heads=2, hidden=16, max_length=24)
    mb.BERT(config, tokenizer).save_pretrained(folder / "bert")
    specials = ("<pad>", "<unk>", "<eod>")
    vocab = mb.text.Vocab.train(texts, specials=specials)
    config = mb.AWDLSTMConfig(len(vocab), 6, 8, 2, start_id=vocab["<eod>"])
    mb.AWDLSTM(config, vocab).save_pretrained(folder / "awd-lstm")
    return folder


def finetune(model, start, out, *options):
    task = "sentiment" if model == "bert" else "subjectivity"
    command = ["finetune", model, "--task", task, "--start", str(start / model)]
    return cli.main([*command, "--out", str(out), *FINETUNED[model].split(), *options])


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("model", FINETUNED)
def test_a_finetuning_that_is_interrupted_goes_on(
    starts, tmp_path, monkeypatch, capsys, model, asked, request
):
    if model == "awd-lstm":  # its task is a real data set
        request.getfixturevalue("data_dir")
    whole, out, saved = tmp_path / "whole", tmp_path / "out", tmp_path / "saved"
    options = ["--checkpoint", str(saved)] if asked else []
    folder = saved if asked else out / "checkpoints"
    assert finetune(model, starts, whole) == 0
    assert "2 of 4 runs done, about" in capsys.readouterr().out
    assert not (whole / "checkpoints").exists()
    places = {
        "bert": ("minibert.commands.finetune.bert",),
        "awd-lstm": ("minibert.transfer.stages",),
    }
    module = importlib.import_module(places[model][0])
    fit, calls = module.fit, []

    def pressed(*args, callbacks=(), **options):
        calls.append(1)
        extra = [Press(3)] if len(calls) == 3 else []
        return fit(*args, callbacks=[*callbacks, *extra], **options)

    monkeypatch.setattr(module, "fit", pressed)
    assert finetune(model, starts, out, *options) == 130
    said = capsys.readouterr().out
    assert "training stopped after step 3;" in said
    assert f"Saved at step 3 in {folder}" in said
    assert finetune(model, starts, out, "--epochs" if model == "bert" else "--labels", "14",
                    *options) == 1  # fmt: skip
    assert "holds runs of a command with another --" in capsys.readouterr().err
    assert finetune(model, starts, out, *options) == 0
    made = {"bert": 3 + 2, "awd-lstm": 3 + 4}[model]  # what is finished is not trained again
    assert len(calls) == made
    assert folder.exists() is asked
    assert results(out) == results(whole)


def test_an_interrupted_stage_is_not_built_upon(capsys):
    from minibert.transfer import ULMFiTConfig, ulmfit

    model = mb.AWDLSTM(mb.AWDLSTMConfig(20, 8, 12, 2))
    examples = [{"input_ids": [1, 2, 3], "labels": i % 2} for i in range(20)]
    config = ULMFiTConfig(classifier_epochs=2, batch_size=5)
    with pytest.raises(KeyboardInterrupt):
        ulmfit(model, examples, 2, config=config, callbacks=[Press(2)], progress=False)
    assert "training stopped after step 2" in capsys.readouterr().out


def test_nothing_to_validate_on_is_said_before_training(corpus, tmp_path, capsys):
    for number, empty in enumerate(("", "\n \n")):
        path = tmp_path / f"empty-{number}.txt"
        path.write_text(empty, "utf-8")
        for model in ("gpt", "bert", "awd-lstm"):
            out = tmp_path / "out"
            assert pretrain(model, corpus, out, "--valid", str(path)) == 1
            assert "nan" not in capsys.readouterr().err and not out.exists()


def test_a_schedule_of_short_sequences_alone():
    from minibert.commands.pretrain import bert

    factor = bert.schedule(4, 4)
    assert [factor(step) for step in range(5)] == [1, 0.75, 0.5, 0.25, 0]
    both = bert.schedule(8, 4)
    assert [both(step) for step in range(4, 8)] == [0.5, 0.375, 0.25, 0.125]
