"""`minibert finetune bert`: tasks, parts of the data, what is learned and written down."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.commands import main as cli
from minibert.commands.finetune import bert, common, tasks
from minibert.data.corpora import Examples, LabelledTexts, Splits
from minibert.heads.spans import Answer, Reading, best_threshold
from minibert.world.tasksets import Example

pytestmark = pytest.mark.long

NAMES = ("Ada", "Ben", "Cleo", "Dan")
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] ##s ##y the cat dog sat ran who . ? is not good bad".split()
WORDS += [word for name in NAMES for word in (name, name.lower())]


@pytest.fixture
def tokenizer():
    return mb.text.WordPiece(WORDS, lowercase=False)


@pytest.fixture
def start(tokenizer, tmp_path):
    """A folder with a tiny BERT."""
    mb.seed_everything(0)
    shape = {"dim": 32, "layers": 2, "heads": 2, "hidden": 64, "dropout": 0.0}
    config = mb.BERTConfig(len(tokenizer), max_length=24, attention_dropout=0.0, **shape)
    mb.BERT(config, tokenizer).save_pretrained(tmp_path / "start")
    return tmp_path / "start"


def pairs(count=300):
    """Does the second sentence deny? A premise serves two hypotheses."""
    rng, found = np.random.default_rng(0), []
    for number in range(count // 2):
        premise = f"the {rng.choice(('cat', 'dog'))} sat . {number}"
        for word, label in (("", "entailment"), ("not ", "contradiction")):
            found.append(Example(text=premise, text_b=f"is {word}good .", label=label))
    return Examples("text", found, ("entailment", "contradiction"), [e.text for e in found])


def sentences(count=300, seed=0):
    """Three of the words are names; `Dan`, with a capital as they have, is none."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        tokens = tuple(map(str, rng.choice(["the", "cats", *NAMES, "sat"], rng.integers(2, 7))))
        labels = tuple("B-PER" if word in NAMES[:3] else "O" for word in tokens)
        found.append(Example(text=" ".join(tokens), tokens=tokens, labels=labels))
    return Examples("words", found, ("B-PER", "O"), [e.text for e in found])


def questions(count=200, none=False):
    """Who sat? The only name; with ``none``, there is no name in a third of the passages."""
    rng, found, articles = np.random.default_rng(1), [], []
    for number in range(count):
        who = "dog" if none and number % 3 == 0 else str(rng.choice(NAMES))
        words = ["the", *map(str, rng.choice(["cat", "ran", "good", "is"], 5)), "."]
        words.insert(rng.integers(1, 6), who)
        text, at = " ".join(words), len(" ".join(words).split(who)[0])
        span = None if who == "dog" else (at, at + len(who))
        found.append(Example(text, "who sat ?", span=span))
        articles.append(str(number // 10))
    return Examples("questions", found, (), articles)


def given(monkeypatch, data):
    monkeypatch.setattr(bert.data, "load", lambda name: data)


def finetune(out, *options):
    return cli.main(["finetune", "bert", "--out", str(out), *map(str, options)])


@pytest.mark.parametrize(
    ("data", "score"), [(pairs, "accuracy"), (sentences, "entity f1"), (questions, "f1")]
)
def test_each_kind_of_task_is_learned_and_written_down(
    data, score, start, tmp_path, monkeypatch, capsys
):
    given(monkeypatch, data())
    options = "--task made --seeds 2 --epochs 5 --batch-size 16 --rate 3e-3 --scratch-rate 3e-3"
    assert finetune(tmp_path / "out", *options.split(), "--start", start, "--save") == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    assert set(results["scores"]) == {"baseline", "fine-tuned", "features", "from scratch"}
    tuned = results["scores"]["fine-tuned"]
    assert [run["seed"] for run in tuned] == [0, 1]
    assert min(run["test"][score] for run in tuned) > 0.95
    assert list(tuned[0]["valid"]) == list(tuned[0]["test"])
    assert list(tuned[0]["test"])[0] == score  # what the task is judged by comes first
    assert f"fine-tuned: {score}" in (printed := capsys.readouterr().out)
    assert "over 2 seeds" in printed and "± " in printed
    head = {"accuracy": "SequenceClassifier", "entity f1": "TokenClassifier"}.get(score)
    saved = getattr(mb.heads, head or "SpanExtractor").from_pretrained(tmp_path / "out" / "model")
    assert saved.encoder.config.dim == 32
    assert finetune(tmp_path / "out", "--task", "made", "--start", start) == 1
    assert "holds results already" in capsys.readouterr().err


def test_features_leave_the_model_as_it_is(start, tokenizer):
    model = mb.BERT.from_pretrained(start)
    task = tasks.task_for(pairs(), tokenizer, 24)
    for way, moves in (("features", False), ("fine-tuned", True), ("from scratch", True)):
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        head = bert.new_head(way, model, task)
        encoder = head.encoder.model if way == "features" else head.encoder
        begun = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
        bert.fit_head(head, task.examples(pairs(32)), rate=1e-2, epochs=1)
        changed = any((begun[name] != t).any() for name, t in encoder.state_dict().items())
        assert changed == moves
        name = "embeddings.word.weight"
        assert torch.equal(begun[name], before[name]) == (way != "from scratch")
        assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())


def test_no_group_stands_in_two_parts():
    data = pairs()
    parts = common.split_groups(data.groups, (0.7, 0.1, 0.2))
    assert sorted(place for part in parts for place in part) == list(range(len(data)))
    groups = [{data.groups[place] for place in part} for part in parts]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
    for part, share in zip(parts, (0.7, 0.1, 0.2), strict=True):
        assert abs(len(part) / len(data) - share) < 0.02
    assert parts == common.split_groups(data.groups, (0.7, 0.1, 0.2))
    assert parts != common.split_groups(data.groups, (0.7, 0.1, 0.2), seed=1)
    assert list(map(len, common.split_groups("aaaaaabc", (0.8, 0.1, 0.1)))) != [8, 0, 0]
    assert all(common.split_groups("aaaaaabc", (0.8, 0.1, 0.1), seed) for seed in range(9))
    for seed in range(9):
        assert all(common.split_groups("aaaaaabc", (0.8, 0.1, 0.1), seed))
    with pytest.raises(ValueError, match="at least 3 groups for 3 parts, got 2"):
        common.split_groups("aab", (0.7, 0.1, 0.2))


def test_a_part_to_test_on_loses_what_is_learned(monkeypatch):
    train, other = sentences(200), sentences(100, seed=5)
    shared = set(train.groups) & set(other.groups)
    assert shared
    given(monkeypatch, Splits("", train=train, valid=other))
    _, (learned, valid, test) = bert.read_task(SimpleNamespace(task="made", valid=1000, test=None))
    texts = [{example.text for example in part} for part in (learned, valid, test)]
    assert not (texts[0] & texts[1] or texts[2] & (texts[0] | texts[1]))
    assert len(test) == sum(group not in shared for group in other.groups)
    assert len(learned) + len(valid) == 200 and 10 <= len(valid) <= 30


def test_labelled_texts_become_examples(monkeypatch):
    given(monkeypatch, LabelledTexts(["good", "bad"] * 20, [1, 0] * 20, ("negative", "positive")))
    with pytest.raises(ValueError, match="at least 3 groups"):  # all texts are two
        bert.read_task(SimpleNamespace(task="made", valid=10, test=None))
    texts = [f"{word} {i}" for i in range(20) for word in ("good", "bad")]
    given(monkeypatch, LabelledTexts(texts, [1, 0] * 20, ("negative", "positive")))
    _, (learned, valid, test) = bert.read_task(SimpleNamespace(task="made", valid=10, test=5))
    assert (len(learned), len(valid), len(test)) == (28, 4, 5)
    assert all((e.label == "positive") == e.text.startswith("good") for e in learned)


def test_a_world_task_is_taken_as_it_is():
    data, parts = bert.read_task(SimpleNamespace(task="paraphrase", valid=10, test=None))
    assert [len(part) for part in parts] == [2000, 10, 1000]
    assert data.labels == ("different", "same")


def test_the_baselines(tokenizer):
    task = tasks.task_for(pairs(), tokenizer, 24)
    some = [Example("a", "b", label=label) for label in ("entailment", "contradiction") * 2]
    assert task.baseline([some[1]] * 2 + [some[0]], some) == {"accuracy": 0.5}
    task = tasks.task_for(sentences(), tokenizer, 24)
    train = [Example(tokens=("Ada", "Ada", "sat"), labels=("B-PER", "O", "O"))] * 2
    train.append(Example(tokens=("Ada", "Ben"), labels=("B-PER", "B-PER")))
    test = [Example(tokens=("Ada", "Ben", "new"), labels=("B-PER", "B-PER", "B-PER"))]
    train += [Example(tokens=("sat",), labels=("O",))] * 2
    assert task.baseline(train, test) == {"entity f1": 0.8, "accuracy": pytest.approx(2 / 3)}
    text = "The cat sat down. The dog ran off. It rained."
    assert tasks.closest(text, "Who ran after the dog?") == "The dog ran off."


def test_words_past_the_window_are_no_names(tokenizer, start):
    task = tasks.WordTask(tokenizer, ("B-PER", "O"), max_length=5)
    example = Example(tokens=("Ada", "cats", "Ben", "sat"), labels=("B-PER", "O", "B-PER", "O"))
    head = task.head(mb.BERT.from_pretrained(start))
    with torch.no_grad():
        head.output.weight.zero_()
        head.output.bias.copy_(torch.tensor([1.0, 0.0]))  # everything is a name
    assert task.said(head, [example]) == [["B-PER", "B-PER", "O", "O"]]


def test_the_threshold_is_the_best_there_is():
    rng = np.random.default_rng(0)
    readings, true = [], []
    for _ in range(40):
        answers = [Answer("cat", 0, 3, 0.0, 1.0), Answer("", None, None, 0.0, 0.0)]
        found = rng.choice(["cat", "the dog", ""])
        true.append([str(found)] if found else [])
        sure = -1.0 if found == "cat" else 1.0
        no_answer = float(round(sure + rng.normal(), 1))  # with ties
        readings.append(Reading(answers[0], answers, [], [], [], no_answer))

    def f1(threshold):
        said = [reading.said(threshold) for reading in readings]
        return mb.heads.squad_scores(said, true)["f1"]

    best = best_threshold(readings, true)
    assert f1(best) == max(f1(threshold) for threshold in np.arange(-5, 5, 0.05))
    nothing = [[] for _ in readings]
    assert all(r.said(best_threshold(readings, nothing)) == "" for r in readings)
    neither = [["cow"]] * len(readings)  # no threshold is better than another: the lowest
    assert best_threshold(readings, neither) == min(r.no_answer for r in readings) - 1
    always = [["cat"]] * len(readings)
    assert all(r.said(best_threshold(readings, always)) == "cat" for r in readings)


def test_no_answer_is_learned_with_a_threshold(start, tokenizer):
    data = questions(400, none=True)
    task = tasks.task_for(data, tokenizer, 24)
    assert task.no_answer
    head = bert.new_head("fine-tuned", mb.BERT.from_pretrained(start), task)
    bert.fit_head(head, task.examples(data[:300]), rate=3e-3, epochs=8, batch_size=16)
    task.tune(head, data[300:350])
    assert task.threshold != 0.0
    assert task.scores(head, data[350:])["told apart"] > 0.9
    assert task.baseline([], data[350:])["f1"] > 0.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give --task NAME, or a --recipe"),
        (["--task", "nli"], "give a model to start from: --start"),
        (["--task", "nli", "--start", "no-such"], "no file, folder or bundled checkpoint"),
        (["--task", "nli", "--start", "{start}", "--ways", "magic"], "--ways must be some of"),
        (["--task", "nli", "--start", "{start}", "--max-length", "99"], "at most 24 pieces"),
        (["--task", "nlj", "--start", "{start}"], "there is no data set or file called 'nlj'"),
    ],
)
def test_what_is_wrong_is_one_clear_line(options, message, start, tmp_path, capsys):
    options = [option.format(start=start) for option in options]
    assert finetune(tmp_path / "out", *options) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_data_without_labels_and_a_model_without_words(start, tmp_path, capsys, monkeypatch):
    given(monkeypatch, mb.data.TextCorpus([]))
    assert finetune(tmp_path / "out", "--task", "books_train", "--start", start) == 1
    assert "has no labels" in capsys.readouterr().err
    (start / "vocab.txt").unlink()
    assert finetune(tmp_path / "other", "--task", "nli", "--start", start) == 1
    assert "no vocabulary" in capsys.readouterr().err
