import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibert.text import WordPiece, basic

LETTERS = "abcdeiéÉΣσßİıäöü"
SIGNS = ".,;:!?'’\"“”()[]-–—/%$#@&_`~東京\u3000 \t\n\u00a0\u200b\u0301"
word = st.text(st.sampled_from(LETTERS), min_size=1, max_size=8)
clitic = st.sampled_from(
    ["don't", "n't", "'s", "it's", "3.14", "1,200", "1,20", "a-b", "...", "n 't"]
)
text = st.lists(
    word | clitic | st.text(st.sampled_from(SIGNS), max_size=3) | st.just(" "), max_size=20
).map("".join)
lowercase = st.booleans()


def trained(texts, lowercase, size=150):
    return WordPiece.train(texts, size, lowercase, min_count=1)


@pytest.fixture(scope="module")
def tokenizers():
    """A cased and an uncased one that know every letter and sign."""
    prose = [f"{a}{b} {b}{a}{c}" for a in LETTERS for b in LETTERS for c in "a." + SIGNS]
    prose += ["0123456789 10 20 don't " * 5, *"stndm"]
    return [trained(prose, lowercase, 300) for lowercase in (False, True)]


@given(text, lowercase)
def test_a_decoded_text_has_the_same_ids(tokenizers, text, lowercase):
    tok = tokenizers[lowercase]
    ids = tok.encode(text)
    if tok.unk_id not in ids:
        assert tok.encode(tok.decode(ids)) == ids


@given(st.text(), lowercase)
def test_words_come_back_from_their_joined_text(text, lowercase):
    words = basic.words(text, lowercase, lowercase)
    assert basic.words(basic.join(words), lowercase, lowercase) == words


@given(text | st.text(st.characters()), lowercase)
def test_spans_are_in_order_and_spell_the_pieces(tokenizers, text, lowercase):
    tok = tokenizers[lowercase]
    ids, places = tok.encode(text, offsets=True)
    assert ids == tok.encode(text)
    last = 0
    for i, (start, end) in zip(ids, places, strict=True):
        assert 0 <= start < end <= len(text)
        assert start >= last or text[start:end] in "İ각"  # one character of two letters
        last = start
        if i != tok.unk_id:
            piece = tok.tokens[i].removeprefix("##")
            assert piece in basic.normalise(text[start:end], lowercase, lowercase)


@given(st.text(st.characters()), st.text(st.characters()), lowercase)
def test_white_space_parts_texts(tokenizers, a, b, lowercase):
    tok = tokenizers[lowercase]
    assert tok.encode(f"{a} {b}") == tok.encode(a) + tok.encode(b)


@given(st.text(st.characters()), lowercase)
def test_normalising_twice_is_normalising_once(text, lowercase):
    once = basic.normalise(text, lowercase, lowercase)
    assert basic.normalise(once, lowercase, lowercase) == once
    assert len(basic.align(text, lowercase, lowercase)) == len(once)


@given(st.lists(text, max_size=6), lowercase, st.integers(60, 120))
def test_a_trained_vocabulary_spells_its_own_text(texts, lowercase, size):
    tok = trained(texts, lowercase, size)
    assert len(tok) <= size and len(set(tok.tokens)) == len(tok)
    assert all(tok.unk_id not in tok.encode(text) for text in texts)
    assert trained(texts[::-1], lowercase, size).tokens == tok.tokens


@given(text, st.lists(word, max_size=5))
def test_words_one_by_one(tokenizers, text, words):
    tok = tokenizers[True]
    ids = [i for one in [text, *words] for i in tok.encode(one)]
    assert ids == tok.encode(" ".join([text, *words]))
