"""The rates of masking, and what is never touched, whatever the text."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minibert.text.batches import IGNORE
from minibert.text.masking import PretrainingBatches, mask_tokens

SPECIAL = 5


class Tokenizer:
    pad_id, unk_id, cls_id, sep_id, mask_id = range(SPECIAL)
    special_ids = frozenset(range(SPECIAL))
    continues = np.arange(60) % 4 == 1

    def __len__(self):
        return 60


shapes = st.tuples(st.integers(1, 6), st.integers(1, 60))
shares = st.lists(st.integers(0, 10), min_size=3, max_size=3).filter(any)


@given(shapes, st.integers(0, 2**32 - 1), st.floats(0.01, 0.9), shares, st.booleans())
def test_what_is_chosen(shape, seed, rate, split, whole_words):
    rng = np.random.default_rng(seed)
    ids, maskable = rng.integers(SPECIAL, 60, shape), rng.random(shape) < 0.8
    ids[~maskable] = rng.integers(0, SPECIAL, (~maskable).sum())
    split = tuple(share / sum(split) for share in split)
    before = ids.copy()
    seen, labels = mask_tokens(
        ids, maskable, Tokenizer(), rng, masked=rate, split=split, whole_words=whole_words
    )
    assert (ids == before).all()  # the text itself stays
    chosen = labels != IGNORE
    assert not chosen[~maskable].any()
    assert (labels[chosen] == ids[chosen]).all() and (seen[~chosen] == ids[~chosen]).all()
    count = maskable.sum(1)
    quota = np.where(count > 0, np.maximum(1, np.rint(count * rate)), 0)
    if whole_words:
        assert (chosen.sum(1) <= quota).all()
    else:
        assert (chosen.sum(1) == quota).all()
    fate = seen[chosen]
    assert ((fate == Tokenizer.mask_id) | (fate >= SPECIAL)).all()  # never another special
    if split[0] == 1:
        assert (fate == Tokenizer.mask_id).all()
    if split[2] == 1:
        assert (fate == ids[chosen]).all()


@given(st.integers(0, 2**32 - 1), shares)
def test_the_shares_hold(seed, split):
    rng, split = np.random.default_rng(seed), np.array(split) / sum(split)
    ids = rng.integers(SPECIAL, 60, (200, 100))
    everywhere = np.ones(ids.shape, bool)
    seen, labels = mask_tokens(ids, everywhere, Tokenizer(), rng, masked=0.15, split=tuple(split))
    chosen = labels != IGNORE
    assert chosen.sum() == 200 * 15
    masked = (seen[chosen] == Tokenizer.mask_id).mean()
    same = (seen[chosen] == ids[chosen]).mean()
    slack = 5 * 0.5 / np.sqrt(chosen.sum())  # five standard errors
    assert abs(masked - split[0]) < slack
    assert abs(same - (split[2] + split[1] / 55)) < slack  # a random word may be the same
    columns = chosen.mean(0)  # every place alike
    assert abs(columns - 0.15).max() < 6 * np.sqrt(0.15 * 0.85 / 200)


texts = st.lists(
    st.lists(st.lists(st.integers(SPECIAL, 59), min_size=1, max_size=30), min_size=1, max_size=8),
    min_size=2,
    max_size=6,
)


@given(texts, st.integers(8, 40), st.integers(0, 10**6), st.booleans(), st.booleans())
def test_batches_of_any_documents(documents, max_length, seed, pairs, whole_words):
    batches = PretrainingBatches(
        documents,
        Tokenizer(),
        3,
        max_length,
        next_sentence=pairs,
        whole_words=whole_words,
        seed=seed,
    )
    rows = 0
    for batch in batches.of_epoch(0):
        ids, mask, labels = (batch[n].numpy() for n in ("input_ids", "attention_mask", "labels"))
        text = np.where(labels != IGNORE, labels, ids)
        assert ids.shape == mask.shape == labels.shape and ids.shape[1] <= max_length
        assert (mask.sum(1) > 2).all() and (text[mask == 0] == Tokenizer.pad_id).all()
        assert (labels[text < SPECIAL] == IGNORE).all()
        assert ((text == Tokenizer.sep_id).sum(1) == 1 + pairs).all()
        assert (text[:, 0] == Tokenizer.cls_id).all()
        rows += len(ids)
    assert rows >= len(documents)
    assert len(batches) == -(-rows // 3)
