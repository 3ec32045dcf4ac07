"""Windows over sentences: which pairs there are, which words are kept, and where batches go on."""

import math

import numpy as np
import torch

import minibert as mb
from minibert.text import windows

WORDS = ["the", "cat", "dog", "sat", "ran", "mat", "log"]


def test_keeping_a_word_follows_the_authors_program():
    counts = np.array([90_000, 9_000, 990, 10])  # shares .9, .09, .0099, .0001
    keep = windows.keep_probability(counts, 1e-3)
    expected = [math.sqrt(1e-3 / f) + 1e-3 / f for f in (0.9, 0.09, 0.0099)]
    np.testing.assert_allclose(keep, [*expected, 1.0])
    assert windows.keep_probability(counts, 0).tolist() == [1, 1, 1, 1]


def brute_pairs(sentences, reach):
    """(centre, context) of all pairs, a loop over places; ``reach`` runs on over sentences."""
    found, at = [], 0
    for sentence in sentences:
        for i in range(len(sentence)):
            for j in range(len(sentence)):
                if i != j and abs(i - j) <= reach[at + i]:
                    found.append((at + i, at + j))
        at += len(sentence)
    return found


def test_windows_hold_the_pairs_that_a_loop_finds():
    rng = np.random.default_rng(0)
    sentences = [[0] * n for n in (1, 7, 3, 12, 2)]
    reach = rng.integers(1, 5, 25)
    sentence = np.repeat(np.arange(5), [len(s) for s in sentences])
    centres, contexts = windows.pairs(np.arange(25), sentence, reach)
    found = sorted(zip(centres.tolist(), contexts.tolist(), strict=True))
    assert found == sorted(brute_pairs(sentences, reach))


def batches(mode="skipgram", **options):
    vocab = mb.text.Vocab(["<pad>", "<unk>", *WORDS], [0, 9, 70, 20, 20, 10, 10, 5, 5])
    sentences = ["the cat sat", ["the", "purple", "dog", "ran"], "mat", "the log"] * 30
    return windows.WindowBatches(vocab, sentences, mode=mode, **options)


def test_unknown_words_are_left_out_before_windows_are_formed():
    made = batches(window=1, subsample=0, batch_size=10_000)
    batch = next(iter(made))
    ids = torch.cat([batch["input_ids"].flatten(), batch["targets"]])
    assert set(ids.tolist()) <= set(range(2, 9))
    the, dog = 2 + WORDS.index("the"), 2 + WORDS.index("dog")
    pairs = set(zip(batch["input_ids"].flatten().tolist(), batch["targets"].tolist(), strict=True))
    assert (the, dog) in pairs  # with `purple` between them


def test_cbow_batches_hold_each_word_with_its_context():
    made = batches(mode="cbow", window=2, subsample=0, batch_size=10_000)
    batch = next(iter(made))
    rows = zip(batch["input_ids"], batch["attention_mask"].bool(), batch["targets"], strict=True)
    seen = {(int(target), tuple(ids[mask].tolist())) for ids, mask, target in rows}
    # every word with all its neighbours, in order: within one word of it, or within two
    assert seen == {
        *{(2, (3,)), (2, (3, 5)), (3, (2, 5)), (5, (3,)), (5, (2, 3))},  # the cat sat
        *{(2, (4,)), (2, (4, 6)), (4, (2, 6)), (6, (4,)), (6, (2, 4))},  # the [purple] dog ran
        *{(2, (8,)), (8, (2,))},  # the log
    }
    assert len(batch["targets"]) == 30 * 8  # `mat` stands alone and has no context


def test_batches_differ_between_epochs_and_go_on_from_a_saved_position():
    made = batches(batch_size=32, subsample=0)
    first = [batch["targets"].tolist() for batch in made]
    second = iter(made)
    next(second)
    other = batches(batch_size=32, subsample=0)
    other.load_state_dict(made.state_dict())
    rest = [batch["targets"].tolist() for batch in second]
    assert rest and rest == [batch["targets"].tolist() for batch in other]
    assert first[1 : 1 + len(rest)] != rest
