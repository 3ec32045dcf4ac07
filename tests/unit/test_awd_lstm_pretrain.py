"""`minibert pretrain awd-lstm`: from a text or the world to a folder that can be read."""

import argparse
import math

import numpy as np
import pytest

import minibert as mb
from minibert.commands import main as cli
from minibert.commands import recipes
from minibert.commands.pretrain import awd_lstm
from minibert.storage.bundled import BUNDLED
from minibert.training.loop import evaluate

pytestmark = pytest.mark.long

TINY = "--dim 16 --hidden 20 --layers 2 --dropout 0.1 --batch-size 4 --bptt 12 --rate 0.02"
NAMES = ["minibert-awd-lstm-forward", "minibert-awd-lstm-backward"]


@pytest.fixture
def corpus(tmp_path):
    """Documents in which B follows A, D follows C, and nothing else can be foreseen."""
    rng, lines = np.random.default_rng(0), []
    for number in range(40):
        lines.append(f"= Text {number} =")
        for _ in range(6):
            lines.append(" ".join(["Anna Baker", "cat dog"][k] for k in rng.integers(0, 2, 6)))
    path = tmp_path / "text.txt"
    path.write_text("\n".join(lines), "utf-8")
    return path


def command(corpus, out, *options):
    options = [*TINY.split(), *options]
    return cli.main(["pretrain", "awd-lstm", "--corpus", str(corpus), "--out", str(out), *options])


@pytest.mark.parametrize("direction", mb.models.awd_lstm.DIRECTIONS)
def test_a_text_becomes_a_language_model_of_its_direction(direction, corpus, tmp_path, capsys):
    out = tmp_path / "out"
    assert command(corpus, out, "--direction", direction, "--epochs", "12") == 0
    printed = capsys.readouterr().out
    model = mb.AWDLSTM.from_pretrained(out)
    assert model.config.direction == direction and model.config.dim == 16
    assert model.vocab.tokens[model.config.start_id] == "<eod>"
    assert "Anna" not in model.vocab and "anna" in model.vocab
    ids = np.array(model.vocab.encode("anna baker cat dog anna baker"))
    told = np.exp(model.log_probs(ids))
    foreseen = told[1::2] if direction == "forward" else told[0::2]
    other = told[0::2] if direction == "forward" else told[1::2]
    assert foreseen.min() > 0.7 > other.max()
    assert "perplexity:" in printed and "held out" in printed
    card = (out / "README.md").read_text("utf-8")
    for fact in ("text.txt", f"direction {direction}", "perplexity", "dim 16", "12 epochs"):
        assert fact in card
    assert str(tmp_path) not in card


def test_the_perplexity_is_that_of_the_end_of_the_text(corpus, tmp_path, capsys):
    out = tmp_path / "out"
    command(corpus, out, "--epochs", "2")
    told = float(capsys.readouterr().out.split("perplexity: ")[1].split()[0])
    model = mb.AWDLSTM.from_pretrained(out)
    ids = awd_lstm.stream((d.text.lower() for d in mb.data.load(str(corpus))), model.vocab)
    held_out = ids[len(ids) - max(2, len(ids) // 100) :]
    loss = evaluate(model, model.batches(held_out, 4, 12))
    assert math.exp(loss) == pytest.approx(told, rel=0.01)


def test_a_stopped_run_goes_on_where_it_was(corpus, tmp_path):
    kept = ["--checkpoint", str(tmp_path / "run"), "--epochs", "2"]
    command(corpus, tmp_path / "first", *kept)
    record = sorted((tmp_path / "run").glob("step-*"))[-1].name
    command(corpus, tmp_path / "again", *kept)  # nothing is left to do
    assert sorted((tmp_path / "run").glob("step-*"))[-1].name == record
    one, other = (mb.AWDLSTM.from_pretrained(tmp_path / name) for name in ("first", "again"))
    for name, tensor in one.state_dict().items():
        assert tensor.equal(other.state_dict()[name])


def test_nt_asgd_trains_too(corpus, tmp_path, capsys):
    options = ["--optimizer", "nt-asgd", "--rate", "5", "--epochs", "6"]
    command(corpus, tmp_path / "out", *options)
    told = float(capsys.readouterr().out.split("perplexity: ")[1].split()[0])
    assert told < 7  # nine words and <eod>


def test_the_world_leaves_kinds_out_and_is_held_against_its_floor(tmp_path, capsys):
    options = ["--tokens", "3000", "--leave-out", "review,letter", "--cased", "--epochs", "1"]
    assert command("world", tmp_path / "out", *options) == 0
    printed = capsys.readouterr().out
    assert "without texts of the kinds review, letter" in printed
    told, floor = printed.split("against the floor: ")[1].split(" nats")[0], printed
    assert float(told) > float(floor.split("exact floor ")[1].split()[0])
    assert command("world", tmp_path / "b", "--leave-out", "poem") == 1
    assert "no kind of text is called 'poem'" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_the_bundled_checkpoints_are_what_their_recipes_say(name):
    options = awd_lstm_options()
    recipe = recipes.read("minibert.commands.pretrain", name, "awd-lstm", options)
    path = BUNDLED / name
    assert path.is_dir(), f"remake it with: minibert pretrain awd-lstm --recipe {name}"
    model = mb.AWDLSTM.from_pretrained(name)
    for key in ("dim", "hidden", "layers", "direction"):
        assert getattr(model.config, key) == recipe[key]
    assert sum(p.stat().st_size for p in path.iterdir()) < 4_000_000
    card = (path / "README.md").read_text("utf-8")
    assert "without texts of the kinds review" in card
    held_out = mb.world.generate(tokens=3000, seed=77, kinds=["news", "story"])
    nats = awd_lstm.nats_a_world_token(model, held_out)
    assert held_out.floor < nats < 3


def awd_lstm_options():
    options = recipes.Options(argparse.ArgumentParser())
    awd_lstm.add_arguments(options)
    return options
