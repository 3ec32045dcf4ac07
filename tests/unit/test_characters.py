"""Words as symbols, and sentences as two streams."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minibert as mb
from minibert.text import characters
from minibert.text.bidirectional import BidirectionalBatches

SENTENCES = [["the", "cat", "sat"], ["dogs"], ["a", "new", "word", "the"], ["the", "cat"]]
SPECIALS = ("<pad>", "<unk>", "<S>", "</S>")


def test_a_word_is_spelled_as_published():
    # begin of word 258, bytes, end of word 259, padding 260, and one more for the mask
    assert characters.spell("Aé", 7) == [259, 66, 196, 170, 260, 261, 261]
    assert characters.spell("<S>", 5) == [259, 257, 260, 261, 261]
    assert characters.spell("</S>", 4) == [259, 258, 260, 261]
    assert len(characters.spell("x")) == 50


def test_a_long_word_keeps_both_marks():
    spelled = characters.spell("x" * 60)
    assert len(spelled) == 50 and spelled[0] == 259 and spelled[-1] == 260
    assert spelled.count(ord("x") + 1) == 48


def test_no_room_for_the_marks():
    with pytest.raises(ValueError, match="at least 3 symbols"):
        characters.spell("cat", 2)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_spelling_can_be_read_back(word):
    symbols = characters.spell(word)
    assert len(symbols) == 50 and all(1 <= s < characters.ALPHABET for s in symbols)
    assert characters.unspell(symbols) == word


def test_sentences_are_padded_with_no_symbol():
    symbols, mask = characters.spell_sentences([["a"], ["b", "cc"]], 6)
    assert symbols.shape == (2, 2, 6) and mask.tolist() == [[1, 0], [1, 1]]
    assert symbols[0, 1].sum() == 0 and symbols[1, 1].tolist() == characters.spell("cc", 6)


@pytest.mark.parametrize("bad", ["the cat", [], [["a"], []], ["the cat"]])
def test_what_is_no_list_of_sentences_is_refused(bad):
    with pytest.raises(ValueError, match="list"):
        characters.spell_sentences(bad)


def test_spellings_grow_and_name_each_word_once():
    table = characters.Spellings(["a", "b"], 5)
    assert table.encode(["b", "c", "a", "c"]) == [2, 3, 1, 3]
    assert table.table.shape == (4, 5) and table.table[0].sum() == 0
    assert table.table[3].tolist() == characters.spell("c", 5)
    assert table.encode(["d"]) == [4]
    assert table.table[4].tolist() == characters.spell("d", 5)  # the table has grown, too


def streams(batches, lane):
    """Everything that one lane reads and should say, put together over an epoch, as words."""
    names = ("input_ids", "targets", "backward_ids", "backward_targets")
    found = {name: [] for name in names}
    for batch in batches:
        real = batch["targets"][lane] != -100
        for name in names:
            ids = batch[name][lane][real]
            if name.endswith("ids") and batches.spelled:
                symbols = batch["characters"][ids]
                found[name] += [characters.unspell(row.tolist()) for row in symbols]
            else:
                found[name] += [batches.vocab.tokens[i] for i in ids]
    return found


@pytest.mark.parametrize("spelled", [True, False])
def test_both_streams_word_by_word(spelled):
    vocab = mb.text.Vocab.train(SENTENCES, min_count=1, specials=SPECIALS)
    batches = BidirectionalBatches(SENTENCES, vocab, batch_size=1, bptt=4, spelled=spelled)
    batches.vocab = vocab
    found = streams(batches, 0)
    assert found["input_ids"][:7] == ["<S>", "the", "cat", "sat", "<S>", "dogs", "<S>"]
    assert found["targets"][:7] == ["the", "cat", "sat", "</S>", "dogs", "</S>", "a"]
    assert found["backward_ids"][:7] == ["</S>", "sat", "cat", "the", "</S>", "dogs", "</S>"]
    assert found["backward_targets"][:7] == ["sat", "cat", "the", "<S>", "dogs", "<S>", "the"]
    assert len(found["targets"]) == sum(map(len, SENTENCES)) + len(SENTENCES) == batches.targets


@given(
    st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6), min_size=1, max_size=9),
    st.integers(1, 4),
    st.integers(1, 7),
)
def test_every_word_is_a_target_once_in_each_direction(sentences, lanes, bptt):
    vocab = mb.text.Vocab.train(sentences, specials=SPECIALS)
    batches = BidirectionalBatches(sentences, vocab, lanes, bptt)
    seen = [np.zeros(len(vocab), int), np.zeros(len(vocab), int)]
    for batch in batches.of_epoch(0):
        for count, name in zip(seen, ("targets", "backward_targets"), strict=True):
            np.add.at(count, batch[name][batch[name] >= 0].numpy(), 1)
    assert len(batches) == len(list(batches.of_epoch(0)))
    words = vocab.counts.copy()
    ends = np.zeros(len(vocab), int)
    ends[[vocab["</S>"], vocab["<S>"]]] = len(sentences)
    assert (seen[0] == words + ends * (np.arange(len(vocab)) == vocab["</S>"])).all()
    assert (seen[1] == words + ends * (np.arange(len(vocab)) == vocab["<S>"])).all()


def test_an_unknown_word_is_read_by_its_letters_and_is_no_known_target():
    vocab = mb.text.Vocab.train(SENTENCES, min_count=2, specials=SPECIALS)
    batches = BidirectionalBatches(SENTENCES, vocab, 1, 50)
    batches.vocab = vocab
    found = streams(batches, 0)
    assert "dogs" in found["input_ids"] and "dogs" not in found["targets"]
    assert found["targets"][4] == "<unk>"


def test_a_position_can_be_saved_and_belongs_to_its_text():
    vocab = mb.text.Vocab.train(SENTENCES, specials=SPECIALS)
    batches = BidirectionalBatches(SENTENCES, vocab, 2, 2)
    first, rest = next(iter(batches)), [b["targets"].tolist() for b in batches]
    again = BidirectionalBatches(SENTENCES, vocab, 2, 2)
    again.load_state_dict({**batches.state_dict(), "epoch": 0, "step": 1})
    assert [b["targets"].tolist() for b in again] == rest
    assert first["reset"] and not any(b["reset"] for b in again.of_epoch(0, 1))
    other = BidirectionalBatches(SENTENCES[:2], vocab, 2, 2)
    with pytest.raises(ValueError, match="other batches: targets"):
        other.load_state_dict(batches.state_dict())


def test_a_vocabulary_without_marks_is_refused():
    with pytest.raises(ValueError, match="lacks"):
        BidirectionalBatches(SENTENCES, mb.text.Vocab.train(SENTENCES), 1, 1)


def test_equal_words_of_a_batch_stand_once():
    vocab = mb.text.Vocab.train(SENTENCES, specials=SPECIALS)
    batch = next(iter(BidirectionalBatches(SENTENCES, vocab, 2, 8)))
    rows = batch["characters"]
    assert len(torch.unique(rows, dim=0)) == len(rows)
