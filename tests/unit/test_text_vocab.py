import numpy as np
import pytest
import torch

from minibert.text import Vocab

TEXTS = ["the cat sat", "The cat's mat", "a cat"]


def test_order_is_count_then_alphabet():
    vocab = Vocab.train(TEXTS)
    assert vocab.tokens == ["<pad>", "<unk>", "cat", "'s", "The", "a", "mat", "sat", "the"]
    assert vocab.counts.tolist() == [0, 0, 3, 1, 1, 1, 1, 1, 1]
    assert (vocab.pad_id, vocab.unk_id, len(vocab)) == (0, 1, 9)


def test_size_counts_the_specials_and_unknowns_are_counted():
    vocab = Vocab.train(TEXTS, size=3)
    assert vocab.tokens == ["<pad>", "<unk>", "cat"]
    assert vocab.counts.tolist() == [0, 6, 3]


def test_min_count():
    assert Vocab.train(TEXTS, min_count=2).tokens == ["<pad>", "<unk>", "cat"]


def test_token_lists_are_taken_as_they_are():
    vocab = Vocab.train([["new york", "new york"], ["cat's"]], specials=())
    assert vocab.tokens == ["new york", "cat's"]
    assert vocab.encode(["cat's", "new york"]) == [1, 0]
    ids, offsets = vocab.encode_corpus([["cat's"], ["new york"]])
    assert (ids.tolist(), offsets.tolist()) == ([1, 0], [0, 1, 2])


def test_specials_in_the_text_are_not_doubled():
    vocab = Vocab.train([["<unk>", "a", "<unk>"]])
    assert vocab.tokens == ["<pad>", "<unk>", "a"]
    assert vocab.counts.tolist() == [0, 2, 1]


def test_encode_decode():
    vocab = Vocab.train(['She said, "I don\'t know."'])
    assert vocab.decode(vocab.encode('"I don\'t," she said.')) == '"I don\'t," <unk> said.'
    assert vocab.decode(torch.tensor([0, vocab["She"]]), skip_special_tokens=True) == "She"
    assert "know" in vocab and "knew" not in vocab
    assert vocab["knew"] == vocab.unk_id


def test_offsets():
    vocab = Vocab.train(["a cat's"])
    ids, places = vocab.encode("a  cat's", offsets=True)
    assert ids == vocab.encode("a  cat's")
    assert places == [(0, 1), (3, 6), (6, 8)]


def test_unknown_without_unk_is_an_error_that_names_the_token():
    vocab = Vocab.train(["a cat"], specials=())
    with pytest.raises(ValueError, match="'dog' is not in this vocabulary"):
        vocab.encode("a dog")
    with pytest.raises(ValueError, match="'dog'"):
        vocab.encode_corpus(["a cat", "a dog"])


def test_a_single_string_is_one_text():
    assert Vocab.train("a cat a cat").tokens == Vocab.train(["a cat a cat"]).tokens
    ids, offsets = Vocab.train("a cat").encode_corpus("a cat")
    assert (len(ids), offsets.tolist()) == (2, [0, 2])


def test_encode_corpus_equals_encode(monkeypatch):
    monkeypatch.setattr("minibert.text.vocab.BLOCK", 7)  # several blocks
    texts = ["", "A cat's hat, and don't--", " \n", "x" * 50, "the the the", ""] * 5
    vocab = Vocab.train(texts[:3])
    ids, offsets = vocab.encode_corpus(iter(texts))
    assert ids.dtype == np.int32 and offsets.dtype == np.int64
    pieces = [ids[a:b].tolist() for a, b in zip(offsets[:-1], offsets[1:], strict=True)]
    assert pieces == [vocab.encode(text) for text in texts]


def test_encode_corpus_of_nothing():
    ids, offsets = Vocab.train(["a"]).encode_corpus([])
    assert ids.tolist() == [] and offsets.tolist() == [0]


def test_save_and_load(tmp_path):
    vocab = Vocab.train(["naïve café 東京 a\u2028b", "a"], specials=("<unk>", "<s>"))
    vocab.save(tmp_path / "vocab.txt")
    loaded = Vocab.load(tmp_path / "vocab.txt")
    assert loaded.tokens == vocab.tokens and loaded.specials == ("<unk>", "<s>")
    assert loaded.counts.tolist() == vocab.counts.tolist()
    assert (tmp_path / "vocab.txt").read_text("utf-8").startswith("<unk>\t0\tspecial\n")


def test_save_refuses_what_the_file_cannot_hold(tmp_path):
    with pytest.raises(ValueError, match="each token must fit on one line"):
        Vocab(["a\tb"]).save(tmp_path / "vocab.txt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", ["cat", "cat\tmany", "cat\t3\tspecial\tx", ""])
def test_load_names_the_bad_line(tmp_path, line):
    (tmp_path / "vocab.txt").write_text(f"a\t1\n{line}\nb\t1\n", "utf-8")
    with pytest.raises(ValueError, match="line 2"):
        Vocab.load(tmp_path / "vocab.txt")


def test_bad_arguments():
    with pytest.raises(ValueError, match="size must exceed the 2 specials, got 2"):
        Vocab.train(TEXTS, size=2)
    with pytest.raises(ValueError, match="'a' more than once"):
        Vocab(["a", "b", "a"])
