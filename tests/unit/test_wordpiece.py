import copy
import pickle
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.text import WordPiece, basic, cache, merges, unicode8

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = (
    "un want runn the low lo a é 東 , ' 5 - . ( ) ##a ##ed ##able ##ing ##west ##w ##er".split()
)


@pytest.fixture
def tok():
    return WordPiece(SPECIALS + PIECES)


def pieces(tok, text, **options):
    return [tok.tokens[i] for i in tok.encode(text, **options)]


def test_longest_piece_first(tok):
    assert pieces(tok, "unwanted, running") == "[UNK] , runn ##ing".split()
    assert pieces(tok, "unable lowest lowwest") == "un ##able [UNK] low ##west".split()
    assert pieces(tok, "lower lowa") == "low ##er low ##a".split()


def test_one_bad_place_makes_the_whole_word_unknown(tok):
    assert pieces(tok, "lowx xlow low") == "[UNK] [UNK] low".split()


def test_words_over_a_hundred_characters_are_unknown(tok):
    assert pieces(tok, "a" * 100) == ["a"] + ["##a"] * 99
    assert pieces(tok, "a" * 101) == ["[UNK]"]
    assert pieces(tok, "a" * 101 + ",a") == ["[UNK]", ",", "a"]


def test_case_and_accents():
    tokens = [*SPECIALS, "elan", "Elan", "élan", "Élan"]
    texts = "Élan E\u0301lan élan Elan"
    assert pieces(WordPiece(tokens), texts) == ["elan"] * 4
    assert pieces(WordPiece(tokens, strip_accents=False), "Élan Elan") == ["élan", "elan"]
    assert pieces(WordPiece(tokens, False), "Élan élan Elan") == ["Élan", "élan", "Elan"]
    assert pieces(WordPiece(tokens, False, True), "Élan élan") == ["Elan", "elan"]


def test_basic_tokenisation():
    assert basic.words("Élan, don't 東京!") == ["elan", ",", "don", "'", "t", "東", "京", "!"]
    assert basic.words("a\0b\u200bc\ufffdd\x1ce \x0bf") == ["abcde", "f"]
    assert basic.words("a\tb\nc\rd\u00a0e\u3000f\u2028g") == list("abcdefg")
    assert basic.words("$5+a_b`c~") == ["$", "5", "+", "a", "_", "b", "`", "c", "~"]
    assert basic.words("ΟΔΟΣ", strip_accents=False) == ["οδοσ"]  # no final sigma
    assert basic.words("각") == ["\u1100\u1161\u11a8"] and basic.words("각", True, False) == ["각"]
    assert basic.words("€5£x") == ["€5£x"]  # currency outside ASCII is no punctuation
    assert basic.words("\ud800a\udfff") == ["a"]


def test_the_quick_way_for_ascii_is_the_same():
    for code in range(128):
        text = f"A{chr(code)}b"
        slow = basic.normalise(text + "é").removesuffix("e")
        assert basic.normalise(text) == slow


def test_tables_are_sorted_and_apart():
    for table in (unicode8.PUNCTUATION, unicode8.MARKS, unicode8.DROPPED, unicode8.IDEOGRAPHS):
        flat = [place for pair in unicode8.ranges(table) for place in pair]
        assert flat == sorted(flat) and len(flat) > 10


def test_offsets(tok):
    text = " The  lower,\u200b lo\u0301w\tUNable xx 東a"
    ids, places = tok.encode(text, offsets=True)
    assert ids == tok.encode(text)
    assert [(tok.tokens[i], text[a:b]) for i, (a, b) in zip(ids, places, strict=True)] == [
        ("the", "The"),
        ("low", "low"),
        ("##er", "er"),
        (",", ","),
        ("low", "lo\u0301w"),
        ("un", "UN"),
        ("##able", "able"),
        ("[UNK]", "xx"),
        ("東", "東"),
        ("a", "a"),
    ]


def test_an_accent_at_the_end_belongs_to_no_piece(tok):
    assert tok.encode("lowe\u0301r lowa\u0301", offsets=True)[1] == [
        (0, 3),
        (3, 6),
        (7, 10),
        (10, 11),
    ]


def test_specials_in_text_are_text_unless_asked_for(tok):
    assert tok.mask_id not in tok.encode("low [MASK] low[SEP]")
    ids, places = tok.encode("low [MASK], low[SEP]", offsets=True, specials=True)
    assert [tok.tokens[i] for i in ids] == ["low", "[MASK]", ",", "low", "[SEP]"]
    assert places == [(0, 3), (4, 10), (10, 11), (12, 15), (15, 20)]
    assert tok.encode("low [MASK], low[SEP]", specials=True) == ids
    assert tok.encode("[mask]", specials=True) == tok.encode("[mask]")


def test_ids_of_specials(tok):
    assert (tok.pad_id, tok.unk_id, tok.cls_id, tok.sep_id, tok.mask_id) == (0, 1, 2, 3, 4)
    assert tok.special_ids == {0, 1, 2, 3, 4}
    bare = WordPiece(["[UNK]", "a"])
    assert (bare.pad_id, bare.unk_id, bare.mask_id, bare.special_ids) == (None, 0, None, {0})
    assert tok["low"] == tok.tokens.index("low") and tok["nothing"] == 1 and "##ing" in tok
    assert tok.continues.dtype == bool and tok.continues.sum() == 7 and len(tok) == 28


def test_batches(tok):
    assert tok.encode_batch(["low", "lower a", ""]) == [
        tok.encode(t) for t in ("low", "lower a", "")
    ]


def test_decode(tok):
    assert tok.decode(tok.encode("The lower, unable running")) == "the lower, unable running"
    ids = torch.tensor([2, *tok.encode("lower"), 3, 0])
    assert tok.decode(ids) == "[CLS] lower [SEP] [PAD]"
    assert tok.decode(ids.numpy(), skip_special_tokens=True) == "lower"
    assert tok.decode([tok["##ing"], tok["##ed"]]) == "##inged"
    assert tok.decode([]) == ""
    for wrong in (-100, len(tok)):
        with pytest.raises(ValueError, match=f"expected ids from 0 to 27, got {wrong}"):
            tok.decode([5, wrong])


def test_joining_as_people_write():
    for text in (
        "don't ask (well-known) 3.14, 1,200 or 7:30?",
        'she said "yes". they\'ll be back',
        "1999, 20 people - i",
    ):
        joined = basic.join(basic.words(text))
        assert joined == text.replace(" - ", "-")
        assert basic.words(joined) == basic.words(text)
    assert basic.words(basic.join(["do", "n", "'", "t"])) == ["do", "n", "'", "t"]


def google_truncation(a, b, room):
    """`_truncate_seq_pair` as google-research/bert has it, one piece at a time."""
    a, b = list(a), list(b)
    while len(a) + len(b) > room:
        (a if len(a) > len(b) else b).pop()
    return a, b


def test_pairs(tok):
    assert tok.pair("low", "a")["input_ids"] == [2, tok["low"], 3, tok["a"], 3]
    assert tok.pair("low", "a")["token_type_ids"] == [0, 0, 0, 1, 1]
    assert tok.pair("low a") == {
        "input_ids": [2, tok["low"], tok["a"], 3],
        "token_type_ids": [0] * 4,
    }
    assert tok.pair([7, 8], [])["input_ids"] == [2, 7, 8, 3, 3]
    assert tok.pair(range(9), None, 5)["input_ids"] == [2, 0, 1, 2, 3]
    for m in range(7):
        for n in range(7):
            for room in range(14):
                a, b = list(range(10, 10 + m)), list(range(30, 30 + n))
                left, right = google_truncation(a, b, room)
                assert tok.pair(a, b, room + 3)["input_ids"] == [2, *left, 3, *right, 3]


def test_pairs_refuse(tok):
    with pytest.raises(ValueError, match="max_length must be at least 3, got 2"):
        tok.pair("a", "a", 2)
    with pytest.raises(ValueError, match=r"needs \[CLS\] and \[SEP\]"):
        WordPiece(["[UNK]", "a"]).pair("a")


@pytest.mark.parametrize("text", [None, 3, b"low", ["low"]])
def test_encode_wants_a_string(tok, text):
    with pytest.raises(ValueError, match="expected a string to encode, got"):
        tok.encode(text)


def test_the_cache_is_bounded_and_changes_nothing(tok, monkeypatch):
    monkeypatch.setattr(cache, "REMEMBERED", 3)
    texts = ["low", "lower", "a", "unable", "low", "the", "lower" * 50]
    fresh = [WordPiece(tok.tokens).encode(text) for text in texts]
    for _ in range(3):
        assert [tok.encode(text) for text in texts] == fresh
        assert len(tok._chunks) <= 3 and len(tok._words) <= 3
        assert max(map(len, tok._chunks)) <= cache.SHORT
    first = tok.encode("low")
    first.append(99)
    assert tok.encode("low") == first[:-1]  # what comes out is the caller's own


def test_copies_go_without_the_cache(tok):
    tok.encode("low")
    for other in (pickle.loads(pickle.dumps(tok)), copy.deepcopy(tok)):
        assert not other._chunks and other.tokens == tok.tokens
        assert other.encode("lower") == tok.encode("lower")
    odd = pickle.loads(pickle.dumps(WordPiece(SPECIALS, True, False)))
    assert odd.lowercase and not odd.strip_accents


def test_save_and_load(tok, tmp_path):
    path = tmp_path / "vocab.txt"
    tok.save(path)
    assert path.read_text("utf-8") == "".join(f"{t}\n" for t in tok.tokens)
    again = WordPiece.load(path)
    assert again.tokens == tok.tokens and again.lowercase and again.strip_accents
    assert not WordPiece.load(path, lowercase=False).strip_accents
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(tok.tokens).encode())
    assert WordPiece.load(path).tokens == tok.tokens  # from Windows, no line break at the end


def test_unicode_line_breaks_are_not_the_files_line_breaks(tmp_path):
    tok = WordPiece(["[UNK]", "\u2028", "\x85", "\u3000"])
    tok.save(tmp_path / "vocab.txt")
    assert WordPiece.load(tmp_path / "vocab.txt").tokens == tok.tokens
    with pytest.raises(ValueError, match="cannot save 'a.nb'"):
        WordPiece(["[UNK]", "a\nb"]).save(tmp_path / "other.txt")
    assert not (tmp_path / "other.txt").exists()


@pytest.mark.parametrize(
    "data, fault",
    [
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (b"a\n[UNK]\na\n", "each token once, got 'a' more than once"),
        (b"[PAD]\na\n", r"needs '\[UNK\]'"),
        (b"[UNK]\n\na\n", "line 2 is empty"),
        (b"[UNK]\n\xff\xfea\n", "not UTF-8"),
        ("[UNK]\na".encode("utf-16"), "not UTF-8"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(tmp_path, data, fault):
    path = tmp_path / "vocab.txt"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=fault) as caught:
        WordPiece.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        WordPiece.load(tmp_path / "vocab.txt")


def slow_merges(words, alphabet, join, min_count):
    """`merges.learn` with all counts made anew after each merge."""
    words, age = dict(words), {symbol: i for i, symbol in enumerate(alphabet)}
    while True:
        counts = Counter()
        for word, n in words.items():
            for pair in pairwise(word):
                counts[pair] += n
        if not counts:
            return
        best = min(counts, key=lambda pair: (-counts[pair], age[pair[0]], age[pair[1]]))
        if counts[best] < min_count:
            return
        joined = join(*best)
        age.setdefault(joined, len(age))
        yield *best, joined
        merged = Counter()
        for word, n in words.items():
            merged[tuple(merges.merge(list(word), best, joined))] += n
        words = merged


@pytest.mark.parametrize("seed", range(30))
def test_merging_with_kept_counts_is_merging_with_fresh_ones(seed):
    rng = np.random.default_rng(seed)
    words = {
        tuple(rng.choice(list("abc"), rng.integers(1, 9)).tolist()): int(rng.integers(1, 9))
        for _ in range(12)
    }
    join = str.__add__
    fast, slow = (list(learn(words, "abc", join, 2)) for learn in (merges.learn, slow_merges))
    assert fast == slow and len(fast) > 3


def test_training_by_hand():
    tok = WordPiece.train(["hug hug hug pug", "hugs"], 100)
    assert tok.tokens == [
        *SPECIALS,
        *"ghpsu",
        *("##g", "##s", "##u"),
        "##ug",  # five times, before h ##u, four times
        "hug",
    ]
    assert pieces(tok, "hugs pug gugs") == ["hug", "##s", "p", "##ug", "g", "##ug", "##s"]
    assert WordPiece.train(["hug hug hug pug", "hugs"], 14).tokens == tok.tokens[:14]
    assert "pug" in WordPiece.train(["hug hug hug pug", "hugs"], 100, min_count=1)


def test_training_options():
    assert "É" in WordPiece.train("Éa Éa", 20, lowercase=False)
    assert "e" in WordPiece.train("Éa Éa", 20) and "é" not in WordPiece.train("Éa Éa", 20)
    tok = WordPiece.train(["aa aa ab zb"], 20, alphabet=2)
    assert tok.encode("zb") == [tok.unk_id] and tok.unk_id not in tok.encode("ab aa")
    assert WordPiece.train([], 5).tokens == SPECIALS
    assert WordPiece.train(["x" * 101], 5).tokens == SPECIALS
    with pytest.raises(ValueError, match="size must be at least 8 for 5 specials and .* got 7"):
        WordPiece.train(["ab"], 7)
    with pytest.raises(ValueError, match="expected texts .* got list"):
        WordPiece.train([["a", "b"]], 20)


def test_training_does_not_depend_on_the_order_of_texts():
    texts = [document.text for document in mb.world.generate(tokens=3_000, seed=1).documents]
    tok = WordPiece.train(texts, 500)
    assert len(tok) == 500 and tok.tokens == WordPiece.train(texts[::-1], 500).tokens
    assert not any(tok.unk_id in tok.encode(text) for text in texts)


def test_accents_and_chinese_characters_by_hand():
    tokens = [*SPECIALS, "schön", "schon", "東京", "東", "京"]
    assert WordPiece(tokens).encode("Schön 東京") == [6, 8, 9]
    kept = WordPiece(tokens, True, False, tokenize_chinese_chars=False)
    for other in (kept, pickle.loads(pickle.dumps(kept)), copy.deepcopy(kept)):
        assert other.encode("Schön 東京") == [5, 7]
        assert other.encode("Schön 東京", offsets=True) == ([5, 7], [(0, 5), (6, 8)])


def test_what_a_vocabulary_is_read_with_is_kept(tmp_path):
    tokens = [*SPECIALS, "schön", "schon", "東京", "東", "京"]
    for options in ({}, {"lowercase": False}, {"strip_accents": False},
                    {"lowercase": False, "strip_accents": True},
                    {"tokenize_chinese_chars": False}, {"added": ["a b", "##x"]}):  # fmt: skip
        tok = WordPiece(tokens, **options)
        tok.save(tmp_path / "vocab.txt")
        again = WordPiece.load(tmp_path / "vocab.txt")
        for name in ("tokens", "lowercase", "strip_accents", "tokenize_chinese_chars", "added"):
            assert getattr(again, name) == getattr(tok, name), (options, name)
        text = "Schön schön 東京 a b##x"
        assert again.encode(text, offsets=True) == tok.encode(text, offsets=True)
