"""Pre-training batches: what a pair is, what is hidden, and that a run can go on."""

import numpy as np
import pytest

import minibert as mb
from minibert.text import masking
from minibert.text.batches import IGNORE


class Tokenizer:
    """Numbers instead of words: 0 to 4 are special, every third goes on with a word."""

    pad_id, unk_id, cls_id, sep_id, mask_id = range(5)
    special_ids = frozenset(range(5))

    def __init__(self, size=1000):
        self.size, self.continues = size, np.arange(size) % 3 == 0

    def __len__(self):
        return self.size

    def encode(self, text):
        return [int(word) for word in text.split()]


def documents(count=60, longest=12, seed=0):
    """Every token is one more than the one before it, so that what follows what can be seen."""
    rng, found, at = np.random.default_rng(seed), [], 5
    for _ in range(count):
        found.append([])
        for _ in range(int(rng.integers(2, longest))):
            length = int(rng.integers(1, 9))
            found[-1].append(list(range(at, at + length)))
            at += length
        at += 100
    return found, at


def make(**settings):
    docs, size = documents()
    return mb.text.PretrainingBatches(docs, Tokenizer(size), **{"batch_size": 7, **settings})


def rows(batches, epoch=0):
    for batch in batches.of_epoch(epoch):
        names = list(batch)
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(names, (value.numpy() for value in values), strict=True))


def original(row):
    """The ids as they were before masking."""
    return np.where(row["labels"] != IGNORE, row["labels"], row["input_ids"])


def parts(row):
    """The two texts of a sequence, checked for its frame."""
    real, segments = row["attention_mask"] == 1, row["token_type_ids"]
    ids = original(row)
    assert (ids[~real] == 0).all() and (segments[~real] == 0).all()
    ids, segments = ids[real], segments[real]
    ends = np.flatnonzero(ids == Tokenizer.sep_id)
    assert ids[0] == Tokenizer.cls_id and len(ends) == 2 and ends[-1] == len(ids) - 1
    assert (segments == (np.arange(len(ids)) > ends[0])).all()
    return ids[1 : ends[0]], ids[ends[0] + 1 : ends[1]]


def test_documents_are_flat_and_empty_ones_go():
    found = mb.text.Documents([["5 6", ""], [], ["", "7"], [[8, 9]]], Tokenizer())
    assert found.ids.tolist() == [5, 6, 7, 8, 9] and found.starts.tolist() == [0, 2, 3, 5]
    assert found.first.tolist() == [0, 1, 2, 3] and len(found) == 3
    assert repr(found) == "Documents(3 documents, 3 sentences, 5 tokens)"
    with pytest.raises(ValueError, match="at least one document with a token, got none"):
        mb.text.Documents([[], [[]]])


@pytest.mark.parametrize("max_length", [16, 32, 64])
def test_a_second_text_follows_or_comes_from_elsewhere(max_length):
    batches, wrong, count = make(max_length=max_length), 0, 0
    home = {}
    for number, document in enumerate(documents()[0]):
        home |= dict.fromkeys((token for sentence in document for token in sentence), number)
    for epoch in range(3):
        for row in rows(batches, epoch):
            a, b = parts(row)
            assert len(a) and len(b) and len(a) + len(b) + 3 <= max_length
            for part in (a, b):
                assert (np.diff(part) == 1).all()  # a stretch of the text, nothing missing
            drawn = row["next_sentence_label"]
            wrong, count = wrong + drawn, count + 1
            assert (home[a[0]] == home[b[0]]) == (drawn == 0)
            if drawn == 0 and len(a) + len(b) + 3 < max_length:
                assert b[0] == a[-1] + 1  # not cut: the very next token
    assert 0.45 < wrong / count < 0.55


def test_most_of_the_text_is_read_in_an_epoch():
    batches = make(max_length=32)
    seen = set()
    for row in rows(batches):
        a, b = parts(row)
        seen |= {*a, *b}
    assert len(seen) > 0.93 * len(batches.documents.ids)


def test_without_next_sentences_all_of_it_is_read_once():
    batches = make(max_length=32, next_sentence=False)
    seen = []
    for row in rows(batches):
        assert "next_sentence_label" not in row and (row["token_type_ids"] == 0).all()
        ids = original(row)[row["attention_mask"] == 1]
        assert (ids[0], ids[-1]) == (Tokenizer.cls_id, Tokenizer.sep_id)
        seen += ids[1:-1].tolist()
    assert len(seen) == len(set(seen)) > 0.93 * len(batches.documents.ids)


def test_masks_and_pairs_are_new_at_each_epoch_and_the_same_for_a_seed():
    def first(seed, epoch):
        return next(make(seed=seed).of_epoch(epoch))

    one, again, other = first(0, 0), first(0, 0), first(0, 1)
    assert all((one[name] == again[name]).all() for name in one)
    assert one["input_ids"].shape != other["input_ids"].shape or (
        (one["input_ids"] != other["input_ids"]).any()
    )
    assert (first(1, 0)["labels"].shape != one["labels"].shape) or (
        (first(1, 0)["labels"] != one["labels"]).any()
    )


def test_a_run_goes_on_where_it_stopped():
    whole, part = make(), make()
    wanted = list(whole)[4]
    for _, _ in zip(range(4), part, strict=False):
        pass
    part.step = 4  # the generator was left after the fifth had been asked for, or not
    again = make()
    again.load_state_dict(part.state_dict())
    got = next(iter(again))
    assert all((wanted[name] == got[name]).all() for name in wanted)
    with pytest.raises(ValueError, match="max_length was 128, here it is 64"):
        make(max_length=64).load_state_dict(part.state_dict())


def test_short_then_long():
    short, long = make(max_length=16), make(max_length=48)
    mixed = mb.text.ShortThenLong(short, long, 50, 6)
    assert len(mixed) == 56
    widths = [batch["input_ids"].shape[1] for batch in mixed]
    assert max(widths[:50]) <= 16 < min(widths[50:])
    stream = [batch for epoch in range(3) for batch in make(max_length=16).of_epoch(epoch)]
    for got, want in zip(mixed.of_epoch(0), stream[:50], strict=False):
        assert (got["input_ids"] == want["input_ids"]).all()
    second = next(mixed.of_epoch(1))  # goes on in the short one's stream
    assert (second["input_ids"] == stream[50]["input_ids"]).all()
    other = mb.text.ShortThenLong(short, long, 40, 6)
    with pytest.raises(ValueError, match="belongs to other batches"):
        other.load_state_dict(mixed.state_dict())


def test_words_are_masked_whole():
    docs, size = documents()
    tokenizer = Tokenizer(size)
    batches = mb.text.PretrainingBatches(docs, tokenizer, whole_words=True)
    for row in rows(batches):
        ids, chosen = original(row), row["labels"] != IGNORE
        inner = tokenizer.continues[ids] & (ids >= 5)
        inner[1:] &= (ids[:-1] >= 5) & (row["attention_mask"][1:] == 1)
        for place in np.flatnonzero(inner[1:]) + 1:
            assert chosen[place] == chosen[place - 1]
        text = (ids >= 5) & (row["attention_mask"] == 1)
        assert chosen.sum() <= max(1, round(0.15 * text.sum()))


def test_a_word_ends_where_something_else_stands_and_may_fill_the_quota():
    continues, free = np.arange(12) % 3 == 0, np.array([1, 1, 0, 1, 1], bool)
    words = masking._words(np.array([5, 6, 2, 9, 9]), free, continues)
    assert words == [[0, 1], [3, 4]]  # 9 goes on, but not with what stands before a special
    tokenizer, ids = Tokenizer(20), np.array([[5, 6, 7, 9]])  # two words of two pieces
    for seed in range(5):
        _, labels = masking.mask_tokens(
            ids, ids > 0, tokenizer, np.random.default_rng(seed), masked=0.5, whole_words=True
        )
        assert labels[0].tolist() in ([5, 6, IGNORE, IGNORE], [IGNORE, IGNORE, 7, 9])


def test_a_last_sentence_that_was_left_alone_is_read_once():
    docs = masking.Documents([[[i, i + 1]] * 3 for i in range(10, 2000, 10)])
    pairs = masking.draw_pairs(docs, 7, np.random.default_rng(0))  # two sentences fill it
    home = np.searchsorted(docs.starts[docs.first], pairs[:, 0], side="right")
    assert np.bincount(home).max() <= 3  # its first, its second, and the last with the second


def test_a_long_document_is_cut_at_both_ends():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n, m, room = rng.integers(1, 30), rng.integers(1, 30), rng.integers(4, 40)
        (a0, a1), (b0, b1) = masking._cut((100, 100 + n), (300, 300 + m), room, rng)
        assert 100 <= a0 < a1 <= 100 + n and 300 <= b0 < b1 <= 300 + m
        total = a1 - a0 + b1 - b0
        assert total == min(n + m, room)
        if n + m > room:
            assert abs((a1 - a0) - (b1 - b0)) <= 1 or a1 - a0 == n or b1 - b0 == m
    starts = [masking._cut((0, 100), (0, 0), 10, rng)[0][0] for _ in range(200)]
    assert 35 < np.mean(starts) < 55  # half of what goes is at the front


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"masked": 0.0}, "masked must be between 0 and 1"),
        ({"split": (0.8, 0.1)}, "three shares that add up to 1"),
        ({"split": (0.8, 0.3, -0.1)}, "three shares that add up to 1"),
        ({"max_length": 5}, "max_length of at least 8, got 7 and 5"),
        ({"batch_size": 0}, "batch_size of at least 1"),
    ],
)
def test_settings_out_of_range(settings, said):
    with pytest.raises(ValueError, match=said):
        make(**settings)


def test_one_document_has_no_elsewhere():
    with pytest.raises(ValueError, match="another document: expected two, got one"):
        mb.text.PretrainingBatches([["5 6", "7"]], Tokenizer())
    mb.text.PretrainingBatches([["5 6", "7"]], Tokenizer(), next_sentence=False)


def test_the_world_pre_trains_a_model():
    corpus = mb.world.generate(tokens=3_000, seed=0)
    texts = [document.lines() for document in corpus.documents]
    tokenizer = mb.text.WordPiece.train((line for text in texts for line in text), 400)
    batches = mb.text.PretrainingBatches(texts, tokenizer, batch_size=4, max_length=48)
    config = mb.BERTConfig(len(tokenizer), 16, 1, 2, 32, max_length=48)
    model = mb.heads.Pretraining(mb.BERT(config, tokenizer))
    history = mb.fit(model, batches, steps=5, progress=False, device="cpu")
    assert len(history.loss) == 5 and all(np.isfinite(history.loss))


@pytest.mark.long
def test_documents_are_not_held_in_memory(memory_growth):
    """Ids of 160 megabytes; a batch touches some of their pages."""
    script = """
import numpy as np
from minibert.text.masking import Documents, PretrainingBatches
class Tokenizer:
    pad_id, cls_id, sep_id, mask_id = special_ids = 0, 1, 2, 3
    def __len__(self):
        return 1100
sentence = np.arange(100, 1100)
documents = ([sentence] * 100 for _ in range(400))
start()
documents = Documents(documents)
assert len(documents.ids) == 40_000_000 and documents.ids[1000] == 100
batches = PretrainingBatches(documents, Tokenizer(), 32, 128)
for batch, _ in zip(batches, range(5)):
    assert batch["input_ids"].shape == (32, 128)
"""
    assert memory_growth(script) < 100
