"""`minibert finetune awd-lstm`: the split, the comparison, and what is written down."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from minibert.commands import main as cli
from minibert.commands.finetune import awd_lstm
from minibert.data.corpora import LabelledTexts
from minibert.data.examples import Example
from minibert.models.awd_lstm.model import AWDLSTM, DROPOUTS, AWDLSTMConfig
from minibert.runtime import seed_everything
from minibert.text.vocab import Vocab

pytestmark = pytest.mark.long

WORDS = "<pad> <unk> <eod> the film was good bad long very i it . saw".split()


@pytest.fixture
def start(tmp_path):
    """A folder with a tiny language model, which drops nothing."""
    seed_everything(0)
    vocab = Vocab(WORDS, specials=WORDS[:3])
    kept = dict.fromkeys(DROPOUTS, 0.0)
    config = AWDLSTMConfig(len(vocab), dim=8, hidden=8, layers=2, start_id=2, **kept)
    AWDLSTM(config, vocab).save_pretrained(tmp_path / "start")
    return tmp_path / "start"


@pytest.fixture
def reviews(monkeypatch):
    """A data set in which one word tells the label, sorted by label."""
    rng = np.random.default_rng(0)
    pairs = [
        (f"The film was {word} . {' '.join(rng.choice(WORDS[8:], 3))}", label)
        for label, word in enumerate(("bad", "good"))
        for _ in range(150)
    ]
    task = LabelledTexts(*map(list, zip(*pairs, strict=True)), ("negative", "positive"))
    monkeypatch.setattr(awd_lstm.data, "load", lambda name: task)
    monkeypatch.setattr(awd_lstm.data, "datasets", list)
    return task


def finetune(out, *options):
    return cli.main(["finetune", "awd-lstm", "--out", str(out), *options])


def test_a_task_is_learned_and_the_errors_are_written_down(start, reviews, tmp_path, capsys):
    out = tmp_path / "out"
    options = "--labels 100 --seeds 2 --target-epochs 30 --target-rate 0.03 --batch-size 20"
    options += " --classifier-epochs 30 --classifier-rate 0.02 --scratch-rate 0.01"
    options += " --unfreezing all --classifier-factor 1"
    assert finetune(out, "--task", "imdb", "--start", str(start), *options.split()) == 0
    results = json.loads((out / "results.json").read_text("utf-8"))
    once = results["once"]
    assert (once["texts read"], once["texts to test on"]) == (270, 30)
    assert len(once["curve step"]) == len(once["curve loss"]) >= 2
    # over 5 seeds, 1 and 2 threads, ATEN_CPU_CAPABILITY default, avx2, avx512: 0.85 to 0.90, and
    # both models err nowhere
    assert once["perplexity after"] < 0.95 * once["perplexity before"]
    assert results["options"]["labels"] == 100
    assert list(results["scores"]) == ["baseline", "pre-trained", "from scratch"]
    for way, runs in results["scores"].items():
        assert [run["seed"] for run in runs] == [0, 1]
        errors = [run["test"]["error"] for run in runs]
        assert 0.3 < min(errors) < 0.7 if way == "baseline" else max(errors) <= 0.1
    printed = capsys.readouterr().out
    assert "before" in printed and "over 2 seeds" in printed
    assert finetune(out, "--task", "imdb", "--start", str(start)) == 1
    assert "holds results already" in capsys.readouterr().err


def test_no_text_of_the_test_is_learned_from_and_all_labels_are_in_it(reviews):
    args = SimpleNamespace(task="imdb", length=50, texts=None, test=None, held_out=None)
    args.kind, args.columns, args.separator = None, "", None
    task, pool, test = awd_lstm.read_texts(args)
    assert (len(pool), len(test), task.labels) == (270, 30, ["negative", "positive"])
    assert 5 <= sum(e.label == "positive" for e in test) <= 25
    everything = sorted((e.text, task.labels.index(e.label)) for e in pool + test)
    assert everything == sorted(reviews)
    assert not {e.text for e in pool} & {e.text for e in test}
    assert awd_lstm.read_texts(args)[2] == test
    args.texts, args.test = 40, 5
    _, *fewer = awd_lstm.read_texts(args)
    assert [len(part) for part in fewer] == [40, 5]
    assert all(one in part for some, part in zip(fewer, (pool, test), strict=True) for one in some)


def test_labels_are_drawn_evenly_and_by_the_seed():
    labels = ["a", "b"]
    pool = [Example(str(i), label=labels[i >= 60]) for i in range(100)]
    one, again, other = (awd_lstm.draw(pool, 41, labels, seed) for seed in (0, 0, 1))
    assert one == again != other
    assert [e.label for e in one].count("a") == 21 and len({e.text for e in one}) == 41
    with pytest.raises(ValueError, match="expected 45 texts with the label 'b' to .*, got 40"):
        awd_lstm.draw(pool, 90, labels, 0)
    assert sorted(e.text for e in awd_lstm.draw(pool, 500, labels, 0)) == sorted(
        map(str, range(100))
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give --task NAME, or a --recipe"),
        (["--task", "imdb"], "either --start or --pretrain"),
        (["--task", "imdb", "--start", "a", "--pretrain", "b"], "either --start or --pretrain"),
        (["--task", "imdb", "--start", "no-such"], "no file, folder or bundled checkpoint"),
    ],
)
def test_what_is_missing_is_one_clear_line(options, message, tmp_path, capsys):
    assert finetune(tmp_path / "out", *options) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_running_text_has_no_labels(start, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(awd_lstm.data, "load", lambda name: awd_lstm.data.TextCorpus([]))
    assert finetune(tmp_path / "out", "--task", "books_train", "--start", str(start)) == 1
    assert "has no labels" in capsys.readouterr().err
