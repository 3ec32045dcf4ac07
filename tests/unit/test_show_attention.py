"""The attention explorer: what it shows of a head, at a temperature, and what it says else."""

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.show.attention import AttentionExplorer, heated, reader


def toy(text):
    """Two layers of three heads; head h of layer l prefers the token at place h + l."""
    tokens = text.split()
    scores = torch.zeros(2, 3, len(tokens), len(tokens))
    for layer in range(2):
        for head in range(3):
            scores[layer, head, :, min(head + layer, len(tokens) - 1)] = 2.0
    scores[0, 0, 1:2] = torch.arange(len(tokens)).float()
    return tokens, scores.softmax(-1)


@pytest.fixture
def explorer():
    return AttentionExplorer(toy, "the cat sat down", token=1)


def test_the_first_frame_tells_where_the_token_looks(explorer):
    assert explorer.message == "" and explorer.png.startswith(b"\x89PNG")
    want = torch.arange(4).float().softmax(0)
    assert explorer.frame.table[1] == ["down", "4", f"{want[3]:.2f}"]
    assert [row[0] for row in explorer.frame.table[1:]] == ["down", "sat", "cat", "the"]
    assert "In layer 1, head 1, “cat” looks most at “down”" in explorer.frame.text


def test_layer_head_and_token_choose_the_row(explorer):
    explorer.set(layer=2, head=3, token=0)
    assert explorer.frame.table[1][0] == "down" and "“the” looks" in explorer.frame.text
    explorer.set(head=1)
    assert explorer.frame.table[1][0] == "cat"
    explorer.controls["token"].value = 2  # a click
    assert "“sat” looks most at “cat”" in explorer.frame.text


def test_the_temperature_divides_the_scores():
    scores = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)).double()
    for temperature in (0.1, 1.0, 7.0):
        want = (scores / temperature).softmax(-1)
        np.testing.assert_allclose(heated(scores.softmax(-1).numpy(), temperature), want)
    masked = np.array([[0.7, 0.3, 0.0], [0.0, 0.0, 0.0]])
    hot = heated(masked, 10.0)
    assert hot[0, 2] == 0 and 0.5 < hot[0, 0] < 0.7 and (hot[1] == 0).all()


def test_a_hot_softmax_spreads_and_a_cold_one_decides(explorer):
    explorer.set(temperature=0.1)
    assert explorer.frame.table[1][2] == "1.00" and "as widely as 1.0 equal" in explorer.frame.text
    explorer.set(temperature=10.0)
    assert float(explorer.frame.table[1][2]) < 0.3 and "as widely as 4.0" in explorer.frame.text


def test_a_new_sentence_gives_new_tokens_and_keeps_the_chosen_word(explorer):
    explorer.set(sentence="a cat")
    buttons = explorer.controls["token"]
    assert [token for token, _ in buttons.options] == ["a", "cat"] and buttons.label == "cat"
    assert explorer.message == "" and len(explorer.frame.table) == 3


def test_an_empty_sentence_is_said_and_mended(explorer):
    explorer.set(sentence="  ")
    assert "type a sentence" in explorer.message
    explorer.set(sentence="yes")
    assert explorer.message == "" and explorer.frame.table[1] == ["yes", "1", "1.00"]


def test_text_is_shown_as_it_is(explorer):
    explorer.set(sentence="<script>alert(1)</script> $x^2$ & more")
    shown = explorer._words.value + explorer._picture.value
    assert "<script>" not in shown and "&lt;script" in shown


def bert(**changes):
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "##s"]
    shape = {"dim": 12, "layers": 2, "heads": 3, "hidden": 16, "max_length": 10, **changes}
    torch.manual_seed(0)
    return mb.BERT(mb.BERTConfig(len(tokens), **shape), mb.text.WordPiece(tokens))


def test_a_bert_is_read_with_its_own_tokenizer():
    model = bert(dropout=0.5).train()
    tokens, weights = reader(model)("The cats sat")
    assert tokens == ["[CLS]", "the", "cat", "##s", "sat", "[SEP]"] and model.training
    want = model.eval()(torch.tensor([[2, 5, 6, 8, 7, 3]]), output_attentions=True).attentions
    torch.testing.assert_close(weights, torch.stack(want)[:, 0])
    explorer = AttentionExplorer(model, "the cat sat", token=2, layer=1, head=2)
    assert "In layer 2, head 3, “cat”" in explorer.frame.text
    explorer.set(sentence="the " * 50)  # more than the model has places for
    assert explorer.message == "" and len(explorer.controls["token"].options) == 10


def test_misuse():
    with pytest.raises(ValueError, match="type a sentence"):
        AttentionExplorer(toy, " ")
    with pytest.raises(ValueError, match="needs a model with a tokenizer"):
        AttentionExplorer(torch.nn.Linear(2, 2), "the cat")
