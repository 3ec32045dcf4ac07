"""The cloze playground: what it shows for a hidden word, and what it says when there is nothing."""

import pytest
import torch

import minibert as mb
from minibert.show import cloze
from minibert.show.cloze import ClozePlayground, gapped, world_truths

TEXTS = ["the cat sat on the mat .", "the dog ran to the door .", "anna 's cat ran ."]
GAP = "the [MASK] sat on the mat."


@pytest.fixture(scope="module")
def model():
    tokenizer = mb.text.WordPiece.train(TEXTS * 3, 70)
    torch.manual_seed(0)
    config = mb.BERTConfig(len(tokenizer), dim=12, layers=1, heads=2, hidden=16, max_length=16)
    return mb.heads.MaskedLM(mb.BERT(config, tokenizer)).eval()


@pytest.fixture
def playground(model):
    truths, fits = {GAP: {"cat": 0.75, "dog": 0.25}}, {GAP: {"cat": True, "dog": True, "mat": True}}
    return ClozePlayground(model, "the cat sat on the mat.", "cat", truths, fits=fits)


def probabilities(model, gap):
    """The readable way: logits of the whole sentence, the row of the mask."""
    tokenizer = model.encoder.tokenizer
    ids = [tokenizer.cls_id, *tokenizer.encode(gap, specials=True), tokenizer.sep_id]
    logits = model(torch.tensor([ids]))[0, ids.index(tokenizer.mask_id)]
    return dict(zip(tokenizer.tokens, logits.softmax(0).tolist(), strict=True))


def test_the_candidates_are_the_models_own(playground, model):
    assert playground.message == "" and playground.png.startswith(b"\x89PNG")
    shares = probabilities(model, GAP)
    best = sorted(shares, key=lambda token: -shares[token])
    found = playground.guess(GAP).best(5)
    assert [name for name, _ in found] == best[:5]
    assert [share for _, share in found] == pytest.approx([shares[name] for name in best[:5]])
    told = playground.frame.text
    assert f"“cat” has {shares['cat']:.1%} and is number {best.index('cat') + 1}" in told
    assert "the answer is cat 75%, dog 25%" in told
    both = shares["cat"] + shares["dog"]
    assert f"gives that {both:.1%}, and {both + shares['mat']:.1%} to the 3 words" in told


def test_a_click_hides_another_word(playground):
    playground.controls["word"].value = 2
    assert "“sat”" in playground.frame.text and "In the world" not in playground.frame.text
    assert "the cat [MASK] on the mat." in playground.frame.alt


def test_a_new_text_gives_new_words(playground):
    playground.set(text="anna's dog ran.")
    buttons = playground.controls["word"]
    assert [word for word, _ in buttons.options] == ["anna", "'s", "dog", "ran", "."]
    assert buttons.value == 0 and playground.message == ""
    playground.set(text="   ")
    assert "nothing to hide" in playground.message
    playground.set(text="the cat sat " * 8, word=23)
    assert "shorten the text" in playground.message


def test_a_word_in_pieces_and_an_unknown_one_are_told(playground):
    playground.set(text="the mato ran.", word=1)
    assert "“mato” is cut into mat ##o" in playground.frame.text
    playground.set(text="the 7 ran.", word=1)
    assert "does not know" in playground.frame.text


def test_text_is_shown_as_it_is(playground):
    playground.set(text="<script>alert(1)</script> ran.", word=0)
    shown = playground._words.value + playground._picture.value
    assert "<script>" not in shown and "&lt;" in shown
    playground.set(text="$x_1$ ran.", word=1)
    assert playground.message == ""


def test_gaps_in_the_middle_and_at_the_ends():
    words = ["Anna", "'s", "dog", "does", "n't", "bark", "."]
    assert gapped(words, 0) == "[MASK]'s dog doesn't bark."
    assert gapped(words, 2) == "Anna's [MASK] doesn't bark."
    assert gapped(words, 6).endswith("bark [MASK]")


def test_the_worlds_facts_are_told_as_gaps():
    truths, fits = world_truths()
    towns = {str(town) for town in mb.world.base.world(0).towns}
    person = mb.world.base.world(0).people.items[0]
    gap = f"{person} lives in [MASK]."
    assert truths[gap] == {str(person.town): 1.0}
    assert set(fits[gap]) <= towns and str(person.town) in fits[gap]
    for words in truths.values():
        assert sum(words.values()) == pytest.approx(1.0)
    sizes = {len(words) for words in truths.values()}
    assert 1 in sizes and max(sizes) < 10
    assert all(words.keys() <= fits[gap] for gap, words in truths.items())


def test_misuse(model):
    with pytest.raises(ValueError, match="'dog' is not in"):
        ClozePlayground(model, "the cat sat.", "dog")
    with pytest.raises(ValueError, match="nothing to hide"):
        ClozePlayground(model, " ")
    bare = mb.heads.MaskedLM(mb.BERT(model.encoder.config))
    with pytest.raises(ValueError, match="no tokenizer"):
        ClozePlayground(bare, "the cat sat.", "cat")


def test_the_kinds_of_bars():
    truth = {"cat": 1.0}
    assert cloze.kind_of("cat", "cat", truth) == "true in the world"
    assert cloze.kind_of("dog", "dog", truth) == "the hidden word"
    assert cloze.kind_of("mat", "dog", truth) == "another word"


def test_a_table_longer_than_the_vocabulary_offers_no_spare_rows(model):
    tokenizer = model.encoder.tokenizer
    torch.manual_seed(0)
    config = mb.BERTConfig(len(tokenizer) + 9, dim=12, layers=1, heads=2, hidden=16, max_length=16)
    longer = mb.heads.MaskedLM(mb.BERT(config, tokenizer)).eval()
    with torch.no_grad():
        longer.output.decoder.bias[len(tokenizer) :] = 20.0
    found = ClozePlayground(longer, "the cat sat on the mat.", "cat").guess(GAP).best(5)
    assert all(name in tokenizer for name, _ in found) and found[0][1] > 1 / len(tokenizer)
