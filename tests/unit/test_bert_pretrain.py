"""`minibert pretrain bert`: from a text to a folder that can be read, and its figures."""

import argparse
import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import minibert as mb
from minibert.commands import main as cli
from minibert.commands.pretrain import bert as pretrain
from minibert.commands.recipes import Options
from minibert.storage.bundled import BUNDLED
from minibert.text.sentences import split_sentences

pytestmark = pytest.mark.long

SMALL = "--dim 16 --layers 1 --heads 2 --size 90 --length 24 --batch-size 8 --dropout 0".split()
ANIMALS = {"cat": "purrs", "dog": "barks", "cow": "moos", "pig": "grunts"}


@pytest.fixture
def corpus(tmp_path):
    """Documents of which each speaks of one animal, in two kinds of sentences."""
    rng, lines = np.random.default_rng(0), []
    for number in range(150):
        animal = rng.choice(list(ANIMALS))
        lines.append(f"= Number {number} =")
        told = f"The {animal} {ANIMALS[animal]}.", f"It is a {animal}."
        lines.append(" ".join(told[rng.integers(2)] for _ in range(6)))
    path = tmp_path / "text.txt"
    path.write_text("\n".join(lines), "utf-8")
    return path


def command(corpus, out, *options):
    given = ["pretrain", "bert", "--corpus", str(corpus), "--out", str(out), *SMALL, *options]
    return cli.main(given)


def test_a_text_becomes_a_folder_that_can_be_read(corpus, tmp_path, capsys):
    out = tmp_path / "model"
    assert command(corpus, out, "--steps", "120", "--rate", "0.01") == 0
    printed = capsys.readouterr().out
    assert "nats per piece" in printed and "pairs told right" in printed
    assert {path.name for path in out.iterdir()} >= {"config.json", "model.safetensors"}
    model = mb.heads.Pretraining.from_pretrained(out)
    assert model.encoder.config.hidden == 64 and model.encoder.config.max_length == 24
    tokenizer = mb.BERT.from_pretrained(out).tokenizer
    assert tokenizer.lowercase and "purrs" in tokenizer and "The" not in tokenizer
    ids = tokenizer.encode("it is [MASK] dog. the dog barks.", specials=True)
    ids = tokenizer.pair(ids, "it is a dog.")["input_ids"]
    words, _ = model(torch.tensor([ids]))
    assert tokenizer.tokens[words[0, ids.index(tokenizer.mask_id)].argmax()] == "a"
    card = (out / "README.md").read_text("utf-8")
    assert "mb.BERT.from_pretrained" in card and "mb.heads.Pretraining.from_pretrained" in card
    assert "text.txt" in card and str(tmp_path) not in card


def test_batches_are_accumulated_and_epochs_count_their_updates(corpus, tmp_path, capsys):
    lengths = []
    for number in (1, 3):
        out = tmp_path / str(number)
        assert command(corpus, out, "--epochs", "1", "--accumulate", str(number)) == 0
        lengths.append(len(json.loads((out / "history.json").read_text("utf-8"))["step"]))
    assert lengths[1] == round(lengths[0] / 3)
    assert "% of peak" in capsys.readouterr().out


def test_heads_begin_by_looking_beside(corpus, tmp_path):
    assert command(corpus, tmp_path / "model", "--steps", "1", "--look-beside") == 0
    model = mb.BERT.from_pretrained(tmp_path / "model")
    tokens = torch.randint(5, model.config.vocab_size, (4, 20))
    weights = model(tokens, output_attentions=True).attentions[0]  # (4, heads, 20, 20)
    assert weights[:, 0].diagonal(-1, -2, -1).mean() > 3 * weights[:, 0].diagonal(1, -2, -1).mean()
    assert "looking beside" in (tmp_path / "model" / "README.md").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("c++"), reason="torch.compile needs a C++ compiler")
@pytest.mark.usefixtures("unchecked")  # the compiler cannot read the checks
def test_compiled_training_is_the_same_training(corpus, tmp_path):
    histories = []
    for number, more in enumerate(([], ["--compile"])):
        out = tmp_path / str(number)
        assert command(corpus, out, "--steps", "8", "--dropout", "0", *more) == 0
        histories.append(json.loads((out / "history.json").read_text("utf-8"))["loss"])
    assert histories[0] == pytest.approx(histories[1], abs=1e-3)


def test_without_next_sentences_there_is_no_pooler(corpus, tmp_path, capsys):
    out = tmp_path / "model"
    more = "--no-next-sentence --whole-words --cased --half --steps 3".split()
    assert command(corpus, out, *more) == 0
    assert "pairs" not in capsys.readouterr().out
    model = mb.heads.MaskedLM.from_pretrained(out)
    assert model.encoder.pooler is None and not model.encoder.tokenizer.lowercase
    with pytest.raises(ValueError, match="seq_relationship"):
        mb.heads.Pretraining.from_pretrained(out)


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(corpus, tmp_path, monkeypatch):
    options = "--steps 12 --short-share 0.5 --seed 3".split()
    assert command(corpus, tmp_path / "whole", *options) == 0
    monkeypatch.setattr(pretrain, "SAVED", 4)
    saved = ["--checkpoint", str(tmp_path / "saved")]
    collate, made = pretrain.ShortThenLong.collate, []

    def stopping(self, entry, rng):
        made.append(entry)
        if len(made) == 8:
            raise RuntimeError("a power cut")
        return collate(self, entry, rng)

    monkeypatch.setattr(pretrain.ShortThenLong, "collate", stopping)
    assert command(corpus, tmp_path / "parts", *options, *saved) == 1
    assert command(corpus, tmp_path / "parts", *options, *saved) == 0
    assert made[8] == (0, 4)  # the fifth update again, then on
    whole, parts = (mb.BERT.from_pretrained(tmp_path / name) for name in ("whole", "parts"))
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, parts.state_dict()[name]), name


def settings(**changes):
    parser = argparse.ArgumentParser()
    options = pretrain_options(parser)
    return argparse.Namespace(**{**options, "corpus": "world", **changes})


def pretrain_options(parser):
    option = Options(parser)
    pretrain.add_arguments(option)
    return {**option.defaults, "dim": 16, "layers": 1, "heads": 2, "tokens": 3000}


def test_short_sequences_come_first():
    args = settings(size=400, length=32, short_share=0.75, batch_size=4)
    texts, _, _ = pretrain.read_documents(args)
    tokenizer = mb.text.WordPiece.train((s for d in texts() for s in d), args.size)
    batches = pretrain.make_batches(mb.text.Documents(texts(), tokenizer), tokenizer, args)
    lengths = [batch["input_ids"].shape[1] for batch in batches.of(20)]
    assert len(lengths) == 20
    assert max(lengths[:15]) == 8 and max(lengths[15:]) == 32
    assert "75% of them of up to 8 pieces, then of up to 32" in str(batches)


def test_the_long_sequences_have_a_rise_of_their_own():
    factor = pretrain.schedule(100, 80)
    rates = [factor(step) for step in range(100)]
    assert max(rates[:80]) == pytest.approx(1.0) and rates.index(max(rates)) in (7, 8)
    assert rates[79] < 0.02 and max(rates[80:]) == pytest.approx(0.5) and rates[99] < 0.05
    plain = [pretrain.schedule(100)(step) for step in range(100)]
    assert plain == [mb.optim.linear(100, warmup=10)(step) for step in range(100)]


def test_the_scores_are_those_of_the_readable_way():
    args = settings(size=400, length=32)
    texts, _, _ = pretrain.read_documents(args)
    tokenizer = mb.text.WordPiece.train((s for d in texts() for s in d), args.size)
    torch.manual_seed(0)
    model = pretrain.new_model(tokenizer, args).eval()
    batches = pretrain.make_batches(mb.text.Documents(texts(), tokenizer), tokenizer, args).long
    found = pretrain.measure(model, batches)
    losses, right, told = [], [], []
    for batch in batches.of_epoch(0):
        given = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
        words, follows = model(**given)
        masked = batch["labels"] != -100
        at, labels = words[masked], batch["labels"][masked]
        losses.append(F.cross_entropy(at, labels, reduction="none"))
        right.append(at.argmax(-1) == labels)
        told.append(follows.argmax(-1) == batch["next_sentence_label"])
    assert found.loss == pytest.approx(torch.cat(losses).mean().item(), rel=1e-5)
    assert found.count == len(torch.cat(right)) and found.pairs == len(torch.cat(told))
    assert found.right == pytest.approx(torch.cat(right).float().mean().item(), abs=1e-6)
    assert found.next_right == pytest.approx(torch.cat(told).float().mean().item(), abs=1e-6)


def test_minutes_become_a_number_of_updates(corpus, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pretrain, "seconds_a_step", lambda model, batches: 3.0)
    assert command(corpus, tmp_path / "timed", "--minutes", "0.25") == 0
    assert "--steps 5 repeats this run" in capsys.readouterr().out
    assert command(corpus, tmp_path / "counted", "--steps", "5") == 0
    one, other = (mb.BERT.from_pretrained(tmp_path / name) for name in ("timed", "counted"))
    assert torch.equal(one.embeddings.word.weight, other.embeddings.word.weight)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--steps 5 --minutes 1", "got both"),
        ("--short-share 1.5", "from 0 to below 1, got 1.5"),
        ("--heads 3", "dim=16 must be a multiple of heads=3"),
        ("--length 4", "max_length of at least 8"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(corpus, tmp_path, capsys, options, words):
    assert command(corpus, tmp_path / "out", *options.split()) == 1
    error = capsys.readouterr().err
    assert words in error and len(error.strip().splitlines()) == 1


def test_a_text_without_titles_is_cut_at_its_lines(tmp_path, capsys):
    path = tmp_path / "plain.txt"
    path.write_text("\n".join(f"The cat sat. It slept {n} hours." for n in range(12)), "utf-8")
    assert command(path, tmp_path / "out", "--steps", "2") == 0
    path.write_text("The cat sat. It slept.", "utf-8")
    assert command(path, tmp_path / "other", "--steps", "2") == 1
    assert "too few documents" in capsys.readouterr().err


def test_sentences():
    text = 'Mr. B. Hill left. "Why?" asked Anna. At 7.30 it rained! (Nobody minded.) 3 came.'
    wanted = [
        "Mr. B. Hill left.",
        '"Why?" asked Anna.',
        "At 7.30 it rained!",
        "(Nobody minded.)",
        "3 came.",
    ]
    assert split_sentences(text) == wanted
    assert split_sentences("  no end\t") == ["no end"] and split_sentences(" ") == []


def test_the_bundled_model_is_what_its_recipe_makes():
    folder = Path(pretrain.__file__).parent / "recipes"
    recipe = tomllib.loads((folder / "minibert-bert.toml").read_text("utf-8"))
    model = mb.heads.Pretraining.from_pretrained("minibert-bert")
    config = model.encoder.config
    assert (config.dim, config.layers, config.heads) == tuple(
        recipe[name] for name in ("dim", "layers", "heads")
    )
    assert config.max_length == recipe["length"]
    assert config.vocab_size <= recipe["size"]
    saved = json.loads((BUNDLED / "minibert-bert" / "config.json").read_text("utf-8"))
    assert saved["architectures"] == ["BertForPreTraining"]
    files = (BUNDLED / "minibert-bert").iterdir()
    assert sum(path.stat().st_size for path in files) < 6_000_000
    texts = [d.lines() for d in mb.world.generate(tokens=3_000, seed=123).documents]
    batches = mb.text.PretrainingBatches(texts, model.encoder.tokenizer, 32, 64)
    found = pretrain.measure(model, batches)
    assert found.loss < 2.2 and found.next_right > 0.8  # untrained: 8.3 and 0.5


def test_the_english_model_has_read_english():
    model = mb.heads.MaskedLM.from_pretrained("minibert-bert-english").eval()
    tokenizer = model.encoder.tokenizer
    likely = {
        "she opened the [MASK] and walked into the room.": "door",
        "the film was released in the united [MASK].": "states",
        "he was born in london and died in new [MASK].": "york",
        "they lived in a house on the other [MASK] of the river.": "side",
    }
    for sentence, word in likely.items():
        ids = tokenizer.encode(sentence, specials=True)
        place = ids.index(tokenizer.mask_id)
        with torch.no_grad():
            found = model(torch.tensor([ids]))[0, place].topk(5).indices.tolist()
        assert tokenizer.encode(word)[0] in found, sentence
