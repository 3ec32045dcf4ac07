from pathlib import Path

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.text import ArrayBatches, BPTTBatches, ListBatches, PaddedBatches
from minibert.text.windows import WindowBatches


def test_arrays_keep_their_rows_together():
    left = np.arange(10, dtype=np.int32)
    batches = ArrayBatches(3, left=left, right=torch.arange(10) * 2.5, seed=1)
    assert len(batches) == 4
    seen = list(batches)
    assert all(torch.equal(b["left"] * 2.5, b["right"]) for b in seen)
    assert all(b["left"].dtype == torch.int64 for b in seen)
    assert sorted(torch.cat([b["left"] for b in seen]).tolist()) == list(range(10))


def test_epochs_differ_and_seeds_repeat():
    def order(seed, epoch):
        batches = ArrayBatches(4, seed=seed, row=np.arange(40))
        return torch.cat([b["row"] for b in batches.of_epoch(epoch)]).tolist()

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1) != order(1, 1)
    assert order(0, 0) != list(range(40))


def test_drop_last():
    batches = ArrayBatches(3, drop_last=True, row=np.arange(10))
    assert len(batches) == len(list(batches)) == 3


def test_a_loop_that_is_left_goes_on_where_it_was():
    batches = ArrayBatches(2, shuffle=False, row=np.arange(6))
    next(iter(batches))
    assert [b["row"].tolist() for b in batches] == [[2, 3], [4, 5]]
    assert (batches.epoch, batches.step) == (1, 0)


def test_of_epoch_does_not_move_the_position():
    batches = ArrayBatches(2, row=np.arange(6))
    list(batches.of_epoch(3))
    assert (batches.epoch, batches.step) == (0, 0)


def test_padding():
    batches = PaddedBatches([[1, 2, 3], [4], [5, 6]], 3, pad_id=9, shuffle=False, by_length=False)
    (batch,) = batches
    assert batch["input_ids"].tolist() == [[1, 2, 3], [4, 9, 9], [5, 6, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0]]


def test_named_examples():
    examples = [
        {"input_ids": [1, 2], "token_type_ids": [0, 1], "labels": [5, 6], "weight": 0.5},
        {"input_ids": [3], "token_type_ids": [1], "labels": [7], "weight": 1.5},
    ]
    (batch,) = PaddedBatches(examples, 2, shuffle=False, by_length=False)
    assert batch["labels"].tolist() == [[5, 6], [7, -100]]
    assert batch["token_type_ids"].tolist() == [[0, 1], [1, 0]]
    assert batch["weight"].tolist() == [0.5, 1.5]
    assert batch["input_ids"].dtype == torch.int64


def test_one_label_an_example_is_stacked():
    examples = [{"input_ids": [1, 2], "labels": 1}, {"input_ids": [3], "labels": 0}]
    (batch,) = PaddedBatches(examples, 2, shuffle=False, by_length=False)
    assert batch["labels"].tolist() == [1, 0]


def test_max_length_cuts_everything_alike():
    examples = [{"input_ids": [1, 2, 3], "labels": [4, 5, 6]}]
    (batch,) = PaddedBatches(examples, 1, max_length=2)
    assert {name: t.tolist() for name, t in batch.items()} == {
        "input_ids": [[1, 2]],
        "labels": [[4, 5]],
        "attention_mask": [[1, 1]],
    }


def test_by_length_spares_padding():
    rng = np.random.default_rng(0)
    examples = [[1] * n for n in rng.integers(1, 100, 2000)]

    def padding(**options):
        masks = [b["attention_mask"] for b in PaddedBatches(examples, 16, **options)]
        return 1 - sum(m.sum() for m in masks) / sum(m.numel() for m in masks)

    assert padding(by_length=False) > 0.3
    assert padding() < 0.05
    assert padding(shuffle=False) < 0.01


def test_shuffled_batches_do_not_come_by_length():
    examples = [[1] * n for n in range(1, 201)]
    lengths = [b["input_ids"].shape[1] for b in PaddedBatches(examples, 10)]
    assert lengths != sorted(lengths)


def test_examples_that_do_not_fit():
    with pytest.raises(ValueError, match="example 1 has none"):
        PaddedBatches([[1], []], 2)
    with pytest.raises(ValueError, match="same names"):
        list(PaddedBatches([{"input_ids": [1], "labels": 1}, {"input_ids": [1]}], 2))
    with pytest.raises(ValueError, match="arrays of one length"):
        ArrayBatches(2, a=np.arange(3), b=np.arange(4))
    with pytest.raises(ValueError, match="at least one example"):
        PaddedBatches([], 2)


def test_bptt_streams_continue_and_targets_are_the_next_token():
    ids = np.arange(100, 121)
    batches = BPTTBatches(ids, batch_size=4, bptt=3)
    seen = list(batches)
    inputs = torch.cat([b["input_ids"] for b in seen], dim=1)
    assert inputs.tolist() == [list(range(100 + 5 * b, 105 + 5 * b)) for b in range(4)]
    assert all(torch.equal(b["input_ids"] + 1, b["targets"]) for b in seen)
    assert [b["reset"] for b in seen] == [True, False]
    assert len(batches) == 2


def test_bptt_fills_the_end_with_ignored_targets():
    seen = list(BPTTBatches(np.arange(1, 13), batch_size=4, bptt=2))  # 11 targets, 4 x 3 places
    targets = torch.cat([b["targets"] for b in seen], dim=1)
    assert targets.tolist() == [[2, 3, 4], [5, 6, 7], [8, 9, 10], [11, 12, -100]]


def test_bptt_lengths_vary_around_the_mean():
    batches = BPTTBatches(np.zeros(100_001, np.int32), 10, 70, vary=True)
    lengths = np.array([b["input_ids"].shape[1] for b in batches])[:-1]
    assert lengths.min() >= 5 and 60 < lengths.mean() < 75 and lengths.std() > 3
    assert lengths.tolist() != [b["input_ids"].shape[1] for b in batches][:-1]


def test_bptt_reads_memory_mapped_text(tmp_path):
    np.arange(50, dtype=np.uint16).tofile(tmp_path / "ids")
    ids = np.memmap(tmp_path / "ids", np.uint16, "r")
    (batch,) = BPTTBatches(ids, 1, 100)
    assert batch["targets"][0].tolist() == list(range(1, 50))


def test_a_position_of_other_batches_is_refused():
    state = ArrayBatches(2, row=np.arange(6)).state_dict()
    with pytest.raises(ValueError, match="count was 6, here it is 7"):
        ArrayBatches(2, row=np.arange(7)).load_state_dict(state)
    with pytest.raises(ValueError, match="seed was 0, here it is 1"):
        ArrayBatches(2, seed=1, row=np.arange(6)).load_state_dict(state)


def test_lists():
    batches = ListBatches([{"a": 1}, {"a": 2}])
    assert list(batches) == [{"a": 1}, {"a": 2}] and len(batches) == 2


# Passes that overlap, and examples that are never left out


def every_kind():
    """One of each kind of batches, drawn anew in each epoch where there is something to draw."""
    text = mb.text
    words = [f"w{i % 9} x{i * i % 7} y{i % 4} w{i % 5}".split() for i in range(40)]
    specials = ("<pad>", "<unk>", "<S>", "</S>")
    vocab = text.Vocab.train(words, specials=specials)
    tokenizer = text.WordPiece.train([" ".join(w) for w in words], 60)
    documents = [[" ".join(w) for w in words[i : i + 5]] for i in range(0, 40, 5)]
    examples = [{"input_ids": [1] * (i % 6 + 1), "labels": i % 3} for i in range(23)]
    pretraining = [text.PretrainingBatches(documents, tokenizer, 4, n, seed=2) for n in (12, 20)]
    framed = [{"input_ids": [[i] * (j + 1) for j in range(2)], "labels": 0} for i in range(9)]
    return {
        "windows": WindowBatches(vocab, words, batch_size=16, subsample=1e-2),
        "cbow": WindowBatches(vocab, words, "cbow", batch_size=16, subsample=0),
        "arrays": ArrayBatches(4, x=np.arange(11)),
        "padded": PaddedBatches(examples, 4),
        "dropped": PaddedBatches(examples, 4, drop_last=True),
        "framed": text.FramedBatches(framed, 2),
        "bptt": BPTTBatches(np.arange(200) % 20, 3, 12, vary=True),
        "blocks": text.BlockBatches(np.arange(300), 3, 12),
        "list": text.ListBatches([{"x": torch.tensor([i])} for i in range(5)]),
        "pretraining": pretraining[0],
        "short then long": text.ShortThenLong(*pretraining, 3, 4),
        "bidirectional": text.BidirectionalBatches(words, vocab, 4, 6),
    }


def numbers(batch):
    return {k: v.tolist() if torch.is_tensor(v) else v for k, v in batch.items()}


@pytest.mark.parametrize("kind", every_kind())
def test_a_pass_may_begin_during_another(kind):
    alone, batches = every_kind()[kind], every_kind()[kind]
    want = [[numbers(b) for b in alone.of_epoch(epoch)] for epoch in (0, 1, 0)]
    found, inner = [], []
    for _ in range(2):
        found.append([])
        for batch in batches:
            found[-1].append(numbers(batch))
            if len(found[-1]) == 2:  # a validation on the same batches
                inner += [numbers(b) for b in batches.of_epoch(0)]
                next(iter(batches.of_epoch(5)), None)
    assert found == want[:2]
    assert inner == want[2] * 2
    assert (batches.epoch, batches.step) == (2, 0)


def test_with_drop_last_every_example_has_its_turn():
    """Sorted by length, the longest stood in the last batch, and were never learned."""
    examples = [[1] * (i + 1) for i in range(10)]
    batches = PaddedBatches(examples, 4, drop_last=True)
    seen = set()
    for epoch in range(12):
        plan = batches.plan(epoch)
        assert [len(entry) for entry in plan] == [4, 4] and len(batches) == 2
        assert len(set(np.concatenate(plan).tolist())) == 8
        seen |= set(np.concatenate(plan).tolist())
    assert seen == set(range(10))
    fixed = PaddedBatches(examples[::-1], 4, shuffle=False, drop_last=True)
    lengths = [batch["attention_mask"].sum(1).tolist() for batch in fixed]
    assert lengths == [[3, 4, 5, 6], [7, 8, 9, 10]]  # the last two as given are left out


def test_one_string_is_one_text_for_whatever_learns_a_vocabulary():
    text = "the cat sat on the mat and the cat ran"
    for make in (
        lambda t: mb.text.BPE.train(t, 280),
        lambda t: mb.text.BPE.train(t, 40, "words"),
        lambda t: mb.text.WordPiece.train(t, 60),
        lambda t: mb.text.Vocab.train(t),
    ):
        one, listed = make(text), make([text])
        assert one.tokens == listed.tokens
    assert any(len(piece) > 1 for piece in mb.text.BPE.train(text, 280).tokens)
    with pytest.raises(ValueError, match="texts .strings. to learn from, got list"):
        mb.text.BPE.train([["the", "cat"]], 280)
    for wrong, got in ((text, "got one string"), ([text], "list of sentences, got a string")):
        with pytest.raises(ValueError, match=got):
            mb.text.Documents(wrong, mb.text.WordPiece.train(text, 60))


def vectors():
    return mb.heads.Table(torch.randn(3, 2), mb.text.Vocab(["<pad>", "<unk>", "a"]))


def test_examples_of_texts_and_lengths_below_one_are_refused():
    for wrong in (["a film", "b"], [{"input_ids": [1]}, "b"]):
        with pytest.raises(ValueError, match="examples of ids, got texts"):
            PaddedBatches(wrong, 1)
    for length in (0, -1):
        with pytest.raises(ValueError, match=f"max_length must be at least 1, got {length}"):
            PaddedBatches([[1, 2]], 1, max_length=length)
        with pytest.raises(ValueError, match=f"max_length must be at least 1, got {length}"):
            mb.heads.CNNClassifier(vectors(), 2).examples(["a"], max_length=length)


def test_one_string_is_no_list_of_words_or_texts():
    tokenizer = mb.text.WordPiece.train(["a good film"] * 3, 40)
    assert tokenizer.encode_batch("good film") == [tokenizer.encode("good film")]
    words = mb.heads.word_examples(tokenizer, [["good", "film"]])
    assert mb.heads.word_examples(tokenizer, "good film") == words
    assert mb.heads.word_examples(tokenizer, ["good film"]) == words
    for wrong in (None, 5, Path("texts.txt")):
        with pytest.raises(ValueError, match="expected texts .* got one"):
            mb.text.WordPiece.train(wrong, 40)
