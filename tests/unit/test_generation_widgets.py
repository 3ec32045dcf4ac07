"""The widgets of chapter 07: merges on a slider, and every choice of a text that is drawn."""

import pytest
import torch

import minibert as mb
from minibert.show import GenerationExplorer, MergeExplorer
from minibert.text import BPE

TEXTS = ["the cat sat on the mat.", "the dog ran to the door, é."] * 20


@pytest.fixture(scope="module")
def tokenizer():
    return BPE.train(TEXTS, 290, specials=("<|endoftext|>",))


@pytest.fixture(scope="module")
def model(tokenizer):
    torch.manual_seed(0)
    config = mb.GPTConfig(len(tokenizer), dim=16, layers=1, heads=2, hidden=16, max_length=32)
    return mb.GPT(config, tokenizer)


def test_the_slider_says_how_many_merges_are_made(tokenizer):
    widget = MergeExplorer(tokenizer, "the cat é")
    whole = len(tokenizer.encode("the cat é"))
    assert widget.frame.text.startswith(f"{whole} pieces: ") and widget.message == ""
    widget.controls["merges"].value = 0
    assert widget.frame.text.startswith("10 pieces: t·h·e  ␣·c·a·t  ␣·⟨c3⟩·⟨a9⟩\n")
    assert widget.frame.text.endswith("The last merges: none yet")
    assert "10 pieces without merges" in widget.frame.alt
    widget.set(merges=1, text="tttt")
    first = tokenizer.merges[0]
    assert (
        f"The last merges: {widget.shown(first[0])} + {widget.shown(first[1])}" in widget.frame.text
    )


def test_words_end_with_a_mark():
    widget = MergeExplorer(BPE.train(TEXTS, 60, "words"), "the cat", 0)
    assert widget.frame.text.startswith("6 pieces: t·h·e∎  c·a·t∎")


def test_an_empty_text_is_a_sentence(tokenizer, model):
    with pytest.raises(ValueError, match="nothing to cut"):
        MergeExplorer(tokenizer, "")
    with pytest.raises(ValueError, match="nothing to go on with"):
        GenerationExplorer(model, "")
    widget = GenerationExplorer(model, "the", steps=3)
    widget.set(prompt="")
    assert "nothing to go on with" in widget.message


def test_the_text_and_its_probabilities_are_the_models_own(model):
    widget = GenerationExplorer(model, "the cat", steps=5, seed=3)
    ids = model.tokenizer.encode("the cat")
    whole = model.generate(ids, 5, seed=3)
    assert widget.frame.text == model.tokenizer.decode(whole)
    rows = widget.frame.table[1:]
    assert len(rows) == len(whole) - len(ids)
    log_p = model.log_probs(whole)[len(ids) - 1 :]
    for row, expected in zip(rows, log_p, strict=True):
        assert row[2] == row[3] == f"{torch.tensor(expected).exp():.1%}"
    assert rows[0][1] == widget.names([whole[len(ids)]])[0]


def test_limits_leave_fewer_tokens(model):
    widget = GenerationExplorer(model, "the cat", steps=4)
    widget.set(temperature=0.0)
    assert all(row[3] == "100.0%" for row in widget.frame.table[1:])
    greedy = widget.frame.text
    widget.set(temperature=1.0, top_k=1)
    assert widget.frame.text == greedy
    widget.set(top_k=0, top_p=0.05, token=4)
    assert widget.message == "" and "at token 4" in widget.frame.alt
    assert widget.seconds < 5


def test_a_model_without_a_tokenizer_is_refused():
    with pytest.raises(ValueError, match="no tokenizer"):
        GenerationExplorer(mb.GPT(mb.GPTConfig(9, dim=4, layers=1, heads=1, hidden=4)), "a")


def test_a_table_longer_than_the_vocabulary_shows_no_spare_rows(tokenizer):
    torch.manual_seed(0)
    size = len(tokenizer)
    config = mb.GPTConfig(size + 7, dim=16, layers=1, heads=2, hidden=16, max_length=32)
    model = mb.GPT(config, tokenizer).eval()
    widget = GenerationExplorer(model, "the cat", steps=5, seed=3)
    ids = model.generate(tokenizer.encode("the cat"), 5, seed=3)
    assert widget.frame.text == tokenizer.decode(ids)
    plain, limited = widget.distributions(ids, 7, {})
    assert plain.shape[1] == size
    torch.testing.assert_close(plain.sum(1), torch.ones(len(plain)))
