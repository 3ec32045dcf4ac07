"""`minibert pretrain word2vec`: from a file to a folder that can be read, or one clear line."""

import argparse
import json
import lzma

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.commands import finetune, pretrain, recipes
from minibert.commands import main as cli
from minibert.commands.pretrain import common, word2vec
from minibert.storage.bundled import BUNDLED

pytestmark = pytest.mark.long

ANIMALS, TOOLS = ["cat", "dog", "cow", "pig"], ["saw", "axe", "file", "drill"]


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIBERT_DATA", str(tmp_path))
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "home"))


@pytest.fixture
def corpus(tmp_path):
    """A text file in which animals stand in the same places, and so do tools."""
    rng = np.random.default_rng(0)
    lines = ["= The title ="]
    for kind in rng.integers(0, 2, 600):
        nouns, verbs = [(ANIMALS, ["eats", "runs"]), (TOOLS, ["cuts", "lies"])][kind]
        first, then = rng.choice(verbs, 2)
        lines.append(f"The {rng.choice(nouns)}, Anna said, {first} and {then}.")
    path = tmp_path / "text.txt"
    path.write_text("\n".join([*lines, "Once only."]), "utf-8")
    return path


def command(corpus, out, *options):
    options = [*options, *"--dim 16 --epochs 20 --subsample 0 --workers 1".split()]
    return cli.main(["pretrain", "word2vec", "--corpus", str(corpus), "--out", str(out), *options])


def test_a_text_becomes_a_folder_that_can_be_read_and_asked(corpus, tmp_path, capsys, no_data):
    out = tmp_path / "new" / "model"
    assert command(corpus, out, "--seed", "3") == 0
    printed = capsys.readouterr()
    model = mb.Word2Vec.from_pretrained(out)
    assert model.config.dim == 16
    near = {word for word, _ in model.neighbours("cat", k=3)}
    assert near == {"dog", "cow", "pig"}
    assert "anna" in model.vocab and "once" not in model.vocab  # five times or more
    assert "," not in model.vocab and "." not in model.vocab
    assert "words per second" in printed.out and f"saved in {out}" in printed.out
    assert "step" in printed.out and "words/s" in printed.out


def test_scores_that_need_data_say_so_without_it(corpus, tmp_path, capsys, no_data):
    command(corpus, tmp_path / "out")
    printed = capsys.readouterr().out
    for title in ("WordSim-353", "MEN", "Google analogies"):
        assert f"{title}: not scored, it is not here (`minibert data get" in printed


def test_the_card_tells_how_the_model_was_made(corpus, tmp_path, capsys, no_data):
    out = tmp_path / "out"
    command(corpus, out, "--seed", "7", "--rate", "0.125")
    card = (out / "README.md").read_text("utf-8")
    for fact in ("text.txt", "| 7 ", "dim 16", "epochs 20", "rate 0.125", "nats per pair", "torch"):
        assert fact in card
    assert mb.__version__ in card and "words per second" in card
    assert str(tmp_path) not in card
    curve = json.loads((out / "history.json").read_text("utf-8"))
    assert 2 <= len(curve["step"]) == len(curve["loss"]) <= 200
    assert curve["loss"][-1] < curve["loss"][0]


def test_the_same_seed_gives_the_same_vectors_and_another_does_not(corpus, tmp_path, no_data):
    found = []
    for number, seed in enumerate("001"):
        command(corpus, tmp_path / str(number), "--seed", seed)
        found.append(mb.Word2Vec.from_pretrained(tmp_path / str(number)).vectors)
    assert (found[0] == found[1]).all()
    assert (found[0] != found[2]).any()


def test_the_options_reach_the_training(corpus, tmp_path, no_data, monkeypatch):
    learn, seen = word2vec.word2vec.learn, {}

    def noted(model, sentences, **options):
        seen.update(options, config=model.config)
        return learn(model, sentences, **options)

    monkeypatch.setattr(word2vec.word2vec, "learn", noted)
    options = "--seed 5 --rate 0.5 --window 3 --negatives 7 --min-count 2"
    command(corpus, tmp_path / "out", *options.split())
    config = seen.pop("config")
    assert seen.pop("checkpoint") == tmp_path / "out" / "checkpoints"
    assert seen == {"seed": 5, "rate": 0.5, "epochs": 20, "workers": 1}
    assert (config.window, config.negatives, config.subsample) == (3, 7, 0)


def test_packed_and_cased_text_and_other_modes_work(corpus, tmp_path, no_data):
    packed = tmp_path / "text.txt.xz"
    packed.write_bytes(lzma.compress(corpus.read_bytes()))
    out = tmp_path / "out"
    options = ["--cased", "--mode", "cbow", "--loss", "hierarchical", "--epochs", "1"]
    arguments = ["pretrain", "word2vec", "--corpus", str(packed), "--out", str(out), *options]
    assert cli.main(arguments) == 0
    model = mb.Word2Vec.from_pretrained(out)
    assert "Anna" in model.vocab and "anna" not in model.vocab
    assert (model.config.mode, model.config.loss) == ("cbow", "hierarchical")


def test_an_output_folder_with_something_in_it_is_refused_before_training(
    corpus, tmp_path, capsys, no_data, monkeypatch
):
    monkeypatch.setattr(common, "read_corpus", lambda args: pytest.fail("it has begun"))
    out = tmp_path / "out"
    out.mkdir()
    (out / "precious.txt").write_text("mine")
    assert command(corpus, out) == 1
    assert "is not empty: give --out a new folder" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["precious.txt"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_text.txt", "no data set or file called"),
        ("wordsim353", "is not here"),
    ],
)
def test_a_text_that_is_not_there_is_one_clear_line(name, message, tmp_path, capsys, no_data):
    assert command(name, tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_a_text_too_short_for_the_least_count_is_one_clear_line(tmp_path, capsys, no_data):
    short = tmp_path / "short.txt"
    short.write_text("Only these few words.")
    assert command(short, tmp_path / "out") == 1
    assert "no word occurs 5 times" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--dim", "--epochs", "--workers", "--min-count"])
def test_numbers_must_be_above_zero(option, tmp_path, capsys):
    with pytest.raises(SystemExit):
        command("text.txt", tmp_path / "out", option, "0")
    assert "expected a number above 0, got 0" in capsys.readouterr().err


def test_nothing_to_train_on_is_one_clear_line(tmp_path, capsys):
    assert cli.main(["pretrain", "word2vec", "--out", str(tmp_path / "out")]) == 1
    assert "give --corpus FILE_OR_NAME, or a --recipe" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_text_is_read_up_to_a_number_of_words(corpus, tmp_path, capsys, no_data):
    command(corpus, tmp_path / "some", "--tokens", "900")
    assert "text.txt: 903 words" in capsys.readouterr().out  # seven a line
    texts = ["a b c", "d e", "f"]
    assert list(common.limited(texts, 4)) == ["a b c", "d e"]
    assert list(common.limited(texts)) == texts


@pytest.fixture
def recipe(monkeypatch, tmp_path):
    """A folder of recipes, and a function that writes one and runs it."""
    monkeypatch.setattr(recipes, "files", lambda package: tmp_path)
    (tmp_path / "recipes").mkdir()

    def run(content, *options):
        (tmp_path / "recipes" / "mine.toml").write_text(content, "utf-8")
        where = ["--recipe", "mine", "--out", str(tmp_path / "out")]
        return cli.main(["pretrain", "word2vec", *where, *options])

    return run


def test_a_recipe_sets_options_and_the_command_line_wins(recipe, corpus, tmp_path, no_data):
    content = (
        f'model = "word2vec"\ncorpus = "{corpus.as_posix()}"\ndim = 12\nwindow = 2\nhalf = true\n'
    )
    assert recipe(content, "--window", "5", "--epochs", "1") == 0
    model = mb.Word2Vec.from_pretrained(tmp_path / "out")
    assert (model.config.dim, model.config.window) == (12, 5)  # 5, the default, was asked for
    assert model.vectors.dtype == torch.float32
    assert torch.equal(model.vectors, model.vectors.half().float())
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "--recipe mine" in card and "half precision" in card


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('model = "elmo"', "is for `minibert pretrain elmo`"),
        ('model = "word2vec"\nwidth = 3', "sets width; `minibert pretrain word2vec` has only"),
    ],
)
def test_a_recipe_that_does_not_fit_is_one_clear_line(content, message, recipe, capsys):
    assert recipe(content) == 1
    assert message in capsys.readouterr().err


def test_an_unknown_recipe_is_answered_with_the_known_ones(tmp_path, capsys):
    options = ["--recipe", "no-such", "--out", str(tmp_path / "out")]
    assert cli.main(["pretrain", "word2vec", *options]) == 1
    assert "known are minibert-" in capsys.readouterr().err


@pytest.mark.parametrize("command", [pretrain, finetune])
def test_every_recipe_fits_its_model(command):
    for name, recipe in recipes.recipes(command.__name__).items():
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        args = parser.parse_args([recipe["model"], "--recipe", name, "--out", "x"])
        settled = recipes.settled(args, command.__name__)
        assert settled.corpus if command is pretrain else settled.task or name.startswith("own-")
        assert getattr(settled, "pretrain", None) in (None, *recipes.recipes(pretrain.__name__))


def test_every_bundled_checkpoint_has_a_recipe_and_a_card_that_says_so():
    names = [path.name for path in BUNDLED.iterdir() if path.is_dir()]
    assert names
    for name in names:
        if name == "minibert-bert-qa":  # fine-tuned, by the chapter that it belongs to
            card = (BUNDLED / name / "README.md").read_text("utf-8")
            assert "python chapters/findings/06.py" in card
            continue
        assert name in {**recipes.recipes(pretrain.__name__), **recipes.recipes(finetune.__name__)}
        assert f"--recipe {name}" in (BUNDLED / name / "README.md").read_text("utf-8")


def test_a_bundled_checkpoint_is_made_anew_by_its_recipe(tmp_path, no_data):
    name = "minibert-word2vec"
    assert cli.main(["pretrain", "word2vec", "--recipe", name, "--out", str(tmp_path / "out")]) == 0
    bundled, again = (mb.Word2Vec.from_pretrained(one) for one in (name, tmp_path / "out"))
    assert again.vocab.tokens == bundled.vocab.tokens
    # the same on the machine that made it; another processor rounds otherwise
    assert torch.cosine_similarity(again.vectors, bundled.vectors).mean() > 0.95
