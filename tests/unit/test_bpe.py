"""Byte-pair encoding: merges in their order, both kinds of words, files, and what is refused."""

import copy
import json
import pickle

import pytest

from minibert.text import BPE
from minibert.text.bpe import byte_letters, spell, words

LETTERS = ["<unk>", *"lowernst", *(f"{letter}</w>" for letter in "lowernst")]
MERGES = [("e", "r</w>"), ("l", "o"), ("lo", "w</w>"), ("lo", "w"), ("low", "er</w>")]


@pytest.fixture
def tok():
    tokens = [*LETTERS, *("".join(pair) for pair in MERGES)]
    return BPE({token: i for i, token in enumerate(tokens)}, MERGES, "words")


def test_merges_are_made_in_the_order_in_which_they_were_learned(tok):
    assert tok.pieces("low") == ["low</w>"]
    assert tok.pieces("lower") == ["lower</w>"]
    assert tok.pieces("slower") == ["s", "lower</w>"]
    assert tok.pieces("ler") == ["l", "er</w>"]
    assert tok.pieces("wol") == ["w", "o", "l</w>"]


def test_the_first_merges_alone(tok):
    found = [tok.pieces("lower", n) for n in range(6)]
    assert found[0] == ["l", "o", "w", "e", "r</w>"] and found[1] == ["l", "o", "w", "er</w>"]
    assert found[2] == ["lo", "w", "er</w>"] == found[3]
    assert found[4] == ["low", "er</w>"] and found[5] == tok.pieces("lower")


def test_what_is_unknown_is_unk_letter_by_letter(tok):
    assert tok.encode("loz") == [tok.ids["lo"], tok.unk_id]
    assert tok.decode(tok.encode("LOWER, slow")) == "lower <unk> slow"
    assert tok.decode(tok.encode("lower, slow"), skip_special_tokens=True) == "lower slow"


def test_bytes_lack_nothing_and_give_the_text_back():
    tok = BPE.train(["a small text, a small world"] * 3, 270)
    for text in ("a small  world\n", "日本語 😀 é\t", "", " ", "it's 1999"):
        assert tok.decode(tok.encode(text)) == text
    assert tok.decode(tok.encode("é")[:1]) == "\ufffd"


def test_the_words_of_gpt2():
    assert words("It's 3 o'clock,  now!") == [
        "It",
        "'s",
        " 3",
        " o",
        "'",
        "clock",
        ",",
        " ",
        " now",
        "!",
    ]
    assert spell(" é") == ("Ġ", "Ã", "©")
    assert len(set(byte_letters())) == 256


def test_training_by_hand():
    """hug 10, pug 5, pun 12, bun 4, hugs 5 (Hugging Face's course, worked through there)."""
    counts = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}
    texts = [word for word, n in counts.items() for _ in range(n)]
    tok = BPE.train(texts, 256 + 3)
    assert tok.merges == [("u", "g"), ("u", "n"), ("h", "ug")]
    assert tok.pieces("bug") == ["b", "ug"] and tok.pieces("hugs") == ["hug", "s"]


@pytest.mark.parametrize("kind", ["words", "bytes"])
def test_saved_and_read_again(kind, tmp_path):
    tok = BPE.train(
        ["low lower lowest newer wider new é"] * 5, 300, kind, specials=("<|endoftext|>",)
    )
    tok.save(tmp_path)
    again = BPE.load(tmp_path)
    assert (again.ids, again.merges, again.kind) == (tok.ids, tok.merges, kind)
    assert again.special_ids == tok.special_ids and again.end_id == tok.end_id is not None
    assert again.encode("lowest é") == tok.encode("lowest é")


def test_copies_go_without_the_cache(tok):
    tok.encode("low")
    for other in (pickle.loads(pickle.dumps(tok)), copy.deepcopy(tok)):
        assert not other._chunks and other.encode("lower") == tok.encode("lower")


def test_what_is_refused(tok, tmp_path):
    with pytest.raises(ValueError, match="expected a string to encode, got NoneType"):
        tok.encode(None)
    with pytest.raises(ValueError, match="expected ids from 0 to 21, got 22"):
        tok.decode([22])
    with pytest.raises(ValueError, match="kind must be 'words' or 'bytes', got 'bits'"):
        BPE({}, [], "bits")
    with pytest.raises(ValueError, match=r"needs 'ab', which no id stands for"):
        BPE({"a": 0, "b": 1}, [("a", "b")])
    with pytest.raises(ValueError, match="expected the ids 0 to 1, each once"):
        BPE({"a": 0, "b": 2}, [])
    with pytest.raises(ValueError, match="size of at least 256 to hold all characters, got 100"):
        BPE.train(["a"], 100)
    with pytest.raises(ValueError, match="has characters that the vocabulary lacks"):
        BPE({"a</w>": 0}, [], "words").encode("b")
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 0, "b": 1, "ab": 2}), "utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b c\n", "utf-8")
    with pytest.raises(ValueError, match="two pieces in each line of .*, got 'a b c'"):
        BPE.load(tmp_path)
    (tmp_path / "vocab.json").write_text("[1", "utf-8")
    with pytest.raises(ValueError, match="is damaged"):
        BPE.load(tmp_path)


def test_copies_keep_added_tokens_and_the_names_of_special_ones():
    ids = {"a": 0, "b": 1, "ab": 2, "<s>": 3, "<x y>": 4}
    tok = BPE(ids, [("a", "b")], specials=("<s>",), added=["<x y>"], end="<s>")
    for other in (tok, pickle.loads(pickle.dumps(tok)), copy.deepcopy(tok)):
        assert other.encode("ab<x y>a") == [2, 4, 0] and other.end_id == 3
        assert other.special_ids == {3} and other.decode([2, 4, 3]) == "ab<x y><s>"
        assert other.decode([2, 4, 3], skip_special_tokens=True) == "ab<x y>"
        with pytest.raises(ValueError, match="has characters that the vocabulary lacks"):
            other.encode("<s>")  # text like any other
    with pytest.raises(ValueError, match="the added token '<y>' has no id"):
        BPE(ids, [("a", "b")], added=["<y>"])


@pytest.mark.parametrize("kind", ["bytes", "words"])
def test_a_special_token_that_is_a_letter_is_refused(kind):
    with pytest.raises(ValueError, match="the special token 'a' is a letter of the texts, too"):
        BPE.train(["banana"], 300, kind, specials=iter(["<s>", "a"]))
