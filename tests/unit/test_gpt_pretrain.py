"""`minibert pretrain gpt`: from a text to a folder that goes on with a text, and its figures."""

import json
import math
import tomllib
from pathlib import Path

import numpy as np
import pytest

import minibert as mb
from minibert.commands import main as cli
from minibert.commands.pretrain import common
from minibert.commands.pretrain import gpt as pretrain
from minibert.storage.bundled import BUNDLED
from minibert.text.batches import BlockBatches

pytestmark = pytest.mark.long

SMALL = "--size 300 --dim 16 --layers 1 --heads 2 --length 16 --batch-size 8 --dropout 0".split()


@pytest.fixture
def corpus(tmp_path):
    """A text in which every line runs through the same few words."""
    rng = np.random.default_rng(0)
    lines = [f"The {rng.choice(['cat', 'dog'])} sat on the mat." for _ in range(400)]
    path = tmp_path / "text.txt"
    path.write_text("\n".join(lines), "utf-8")
    return path


def command(corpus, out, *options):
    arguments = ["pretrain", "gpt", "--corpus", str(corpus), "--out", str(out)]
    return cli.main([*arguments, *SMALL, *options])


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_a_text_becomes_a_model_that_goes_on_with_it(corpus, tmp_path, capsys, norm):
    options = ["--norm", norm, "--steps", "150", "--rate", "0.01"]
    assert command(corpus, tmp_path / "model", *options) == 0
    printed = capsys.readouterr().out
    model = mb.GPT.from_pretrained(tmp_path / "model")
    assert model.config.norm == norm and model.config.max_length == 16
    assert "bits a character" in printed and "nats per piece" in printed
    assert model.generate("the cat", 20, temperature=0).endswith("sat on the mat.<|endoftext|>")
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    assert "mb.GPT.from_pretrained" in card and "150 updates" in card


def test_a_stopped_run_goes_on(corpus, tmp_path, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    command(corpus, whole, "--steps", "40")
    options = ["--steps", "40", "--checkpoint", str(tmp_path / "saved")]
    monkeypatch.setattr(pretrain, "SAVED", 10)
    fit = pretrain.fit

    def stopped(*args, **options):
        class Stop:
            def on_step(self, run):
                if run.step == 25:
                    raise KeyError("power cut")

        return fit(*args, **options, callbacks=[Stop()])

    monkeypatch.setattr(pretrain, "fit", stopped)
    assert command(corpus, parts, *options) == 1 and not parts.exists()
    monkeypatch.setattr(pretrain, "fit", fit)
    command(corpus, parts, *options)
    a, b = (mb.GPT.from_pretrained(folder).state_dict() for folder in (whole, parts))
    assert all((a[name] == b[name]).all() for name in a)


def test_the_world_is_scored_against_the_floor(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(common, "HELD_OUT", 1000)
    options = ["--tokens", "4000", "--cased", "--steps", "5", "--half"]
    assert command("world", tmp_path / "model", *options) == 0
    assert "nats per token of the world; exact floor" in capsys.readouterr().out


def test_the_price_of_a_text(tmp_path):
    tokenizer = mb.text.BPE.train(["abc"], 257, specials=("<|endoftext|>",))
    model = mb.GPT(mb.GPTConfig(257, dim=8, layers=1, heads=1, hidden=8, max_length=8), tokenizer)
    for parameter in model.parameters():
        parameter.data.zero_()
    args = type("Args", (), {"corpus": "text", "cased": True})
    scores = pretrain.print_scores(model, ["abc", "abcd"], args)
    bits = 9 * math.log2(257) / 9  # nine pieces, two of them ends of texts; nine characters
    assert f"{math.log(257):.3f} nats per piece" in scores["loss"]
    assert f"{bits:.3f} bits a character, on 9 pieces" in scores["loss"]


def test_every_token_is_a_target_once():
    ids = np.arange(100)
    rows = [row for batch in BlockBatches(ids, 3, 9, shuffle=False) for row in batch["input_ids"]]
    targets = [i for row in rows for i in row[1:].tolist()]
    assert targets == list(range(1, 97)) and len(rows) == 12
    batches = BlockBatches(ids, 3, 9, seed=1)
    first, second = ([b["input_ids"] for b in batches.of_epoch(e)] for e in (0, 1))
    assert len(first) == len(second) == len(batches) == 3
    assert not all((a == b).all() for a, b in zip(first, second, strict=True))
    targets = [i for rows in first for row in rows for i in row[1:].tolist()]
    assert len(set(targets)) == len(targets) == 72
    assert {min(map(min, batches.plan(e))) for e in range(60)} == set(range(9))  # where it begins


def test_a_stream_is_not_held_in_memory(memory_growth):
    """Ids of two hundred megabytes; a batch touches some of its pages."""
    script = """
import tempfile, numpy as np
from minibert.text.batches import BlockBatches
file = tempfile.TemporaryFile()
file.truncate(400_000_000)
ids = np.memmap(file, np.uint16, "r")
start()
batches = BlockBatches(ids, 32, 128, seed=0)
for batch, _ in zip(batches, range(20)):
    assert batch["input_ids"].shape == (32, 128)
"""
    assert memory_growth(script) < 150


def test_the_stream_holds_all_texts_and_their_ends():
    tokenizer = mb.text.BPE.train(["a b"], 257, specials=("<|endoftext|>",))
    ids = pretrain.stream(iter(["a", "b a"]), tokenizer)
    end = tokenizer.end_id
    assert isinstance(ids, np.memmap) and ids.dtype == np.uint16
    expected = [end, *tokenizer.encode("a"), end, *tokenizer.encode("b a"), end]
    assert ids.tolist() == expected


def test_too_little_text_is_one_clear_line(tmp_path, capsys):
    short = tmp_path / "short.txt"
    short.write_text("a\nb\nc\nd\n", "utf-8")
    assert command(short, tmp_path / "out") == 1
    assert "expected a text that fills a batch of 8 rows of 16 tokens" in capsys.readouterr().err


def test_a_narrow_model_starts_from_larger_weights():
    args = {"dim": 48, "layers": 1, "heads": 2, "norm": "post", "dropout": 0.0, "length": 8}
    config = pretrain.config_of(type("Args", (), args), 10)
    assert config.init_std == 0.08  # 0.02 * sqrt(768 / 48)


def test_the_bundled_model_is_what_its_recipe_makes():
    folder = Path(pretrain.__file__).parent / "recipes"
    recipe = tomllib.loads((folder / "minibert-gpt.toml").read_text("utf-8"))
    model = mb.GPT.from_pretrained("minibert-gpt")
    config = model.config
    assert (config.dim, config.layers, config.heads) == tuple(
        recipe[name] for name in ("dim", "layers", "heads")
    )
    assert config.max_length == recipe["length"] and config.vocab_size <= recipe["size"]
    assert model.tokenizer.kind == "bytes" and model.tokenizer.end_id == 0
    saved = json.loads((BUNDLED / "minibert-gpt" / "config.json").read_text("utf-8"))
    assert saved["architectures"] == ["GPT2LMHeadModel"]  # norms first
    files = (BUNDLED / "minibert-gpt").iterdir()
    assert sum(path.stat().st_size for path in files) < 6_000_000
    corpus = mb.world.generate(tokens=3_000, seed=123)
    ids = [0]
    for document in corpus.documents:
        ids += [*model.tokenizer.encode(document.text), 0]
    paid = -model.log_probs(ids).sum() / len(corpus)
    assert corpus.floor < paid < 0.9  # untrained: more than 9
