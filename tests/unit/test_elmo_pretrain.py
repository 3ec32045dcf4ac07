"""`minibert pretrain elmo`: from a text to a folder that can be read, and its figures."""

import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.commands import main as cli
from minibert.commands.pretrain import common
from minibert.commands.pretrain import elmo as pretrain
from minibert.models import baselines
from minibert.storage.bundled import BUNDLED

pytestmark = pytest.mark.long

RECIPES = Path(pretrain.__file__).parent / "recipes"
SMALL = "--dim 12 --projection 6 --char-dim 4 --filters 1:4,3:6 --batch-size 4 --bptt 8".split()


@pytest.fixture
def corpus(tmp_path):
    """A text in which every sentence runs through the same few words."""
    rng = np.random.default_rng(0)
    lines = [f"The {rng.choice(['cat', 'dog'])} sat on the mat." for _ in range(300)]
    path = tmp_path / "text.txt"
    path.write_text("\n".join(lines), "utf-8")
    return path


@pytest.mark.parametrize("options", [[], "--input words --softmax sampled --negatives 9".split()])
def test_a_text_becomes_a_folder_that_can_be_read(corpus, tmp_path, capsys, options):
    out = tmp_path / "model"
    command = ["pretrain", "elmo", "--corpus", str(corpus), "--out", str(out), "--rate", "0.03"]
    assert cli.main([*command, *SMALL, "--epochs", "5", *options]) == 0
    printed = capsys.readouterr().out
    model = mb.ELMo.from_pretrained(out)
    assert model.config.projection == 6 and "cat" in model.vocab and "The" not in model.vocab
    assert model.config.input == ("words" if options else "characters")
    assert model.config.cell_clip is None and "nats per word on held-out text" in printed
    card = (out / "README.md").read_text("utf-8")
    assert "mb.ELMo.from_pretrained" in card and "backward" in card
    # Forty times: training met the state of zeros, from which the first begins, a few times only.
    lines = [["the", "cat", "sat", "on", "the", "mat", "."]] * 40
    losses = pretrain.directions(model, pretrain.batches_of(model, lines, 1, 20))
    assert max(losses) < math.log(len(model.vocab)) / 2


def test_the_world_is_read_with_its_documents_ends_and_scored_against_the_floor(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(common, "HELD_OUT", 1000)
    out = tmp_path / "model"
    command = ["pretrain", "elmo", "--corpus", "world", "--tokens", "2000", "--out", str(out)]
    assert cli.main([*command, "--cased", *SMALL, "--epochs", "1", "--half"]) == 0
    printed = capsys.readouterr().out
    model = mb.ELMo.from_pretrained(out)
    assert "<eod>" in model.vocab and "exact floor" in printed
    assert sum(path.stat().st_size for path in out.iterdir()) < 200_000


def tiny():
    """A model that has met a corpus of two hundred tokens, and another corpus."""
    known, other = (mb.world.generate(tokens=200, seed=seed) for seed in (1, 2))
    sentences = list(pretrain.with_ends(known.documents))
    vocab = mb.text.Vocab.train(sentences, specials=pretrain.SPECIALS)
    sizes = {"dim": 6, "projection": 4, "char_dim": 3, "filters": ((1, 3),)}
    torch.manual_seed(0)
    return mb.ELMo(mb.ELMoConfig(len(vocab), **sizes), vocab).eval(), other


def test_the_price_of_a_corpus_word_by_word():
    model, corpus = tiny()
    sentences = list(pretrain.with_ends(corpus.documents))
    vocab, spelling, paid, unknown = model.vocab, baselines.Spelling(model.vocab), 0.0, 0
    batches = pretrain.batches_of(model, sentences, 4, 100)
    with torch.no_grad():
        for batch in batches.of_epoch(0):
            table = model.encoder(batch["characters"])
            layers, _ = model.layers([table[batch["input_ids"]], table[batch["backward_ids"]]])
            log_p = torch.log_softmax(model.output(layers[-1][0]), -1)
            for row, targets in zip(log_p, batch["targets"], strict=True):
                for at, target in zip(row, targets.tolist(), strict=True):
                    paid -= float(at[target]) if target != -100 else 0.0
    for words in sentences:
        unknown += sum(word not in vocab for word in words)
        paid += sum(spelling(word) for word in words if word not in vocab)
    assert unknown > 10
    assert pretrain.nats_a_world_token(model, corpus) == pytest.approx(paid / len(corpus), rel=1e-5)
    assert paid / len(corpus) > corpus.floor


def test_the_two_directions_are_told_apart():
    model, corpus = tiny()
    batches = pretrain.batches_of(model, list(pretrain.with_ends(corpus.documents)), 2, 50)
    forward, backward = pretrain.directions(model, batches)
    both = mb.training.evaluate(model, batches)
    assert forward != backward and both == pytest.approx((forward + backward) / 2)
    assert model.state is None  # what was carried before is put back


def test_the_bundled_model_is_what_its_recipe_makes():
    model = mb.ELMo.from_pretrained("minibert-elmo")
    recipe = tomllib.loads((RECIPES / "minibert-elmo.toml").read_text("utf-8"))
    for name in ("dim", "projection", "char_dim", "dropout"):
        assert getattr(model.config, name) == recipe[name]
    filters = ",".join(f"{width}:{number}" for width, number in model.config.filters)
    assert filters == recipe["filters"] and model.config.cell_clip is None
    folder = BUNDLED / "minibert-elmo"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 4_000_000
    corpus = mb.world.generate(tokens=2_000, seed=123)
    paid = pretrain.nats_a_world_token(model, corpus)
    assert corpus.floor < paid < 3.0  # untrained, about log(4,000) = 8.3
