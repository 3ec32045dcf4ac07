"""WordPiece beside Hugging Face's tokenizers, with the published vocabularies: ids and offsets."""

import lzma
import os
import random
import re
import unicodedata
from itertools import islice

import pytest
from hypothesis import given
from sample_texts import agree, anything, files, mixed, texts

from minibert import world
from minibert.text import WordPiece, basic, unicode8

hf = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

CASES = {"uncased": True, "cased": False}

# Where the words of basic tokenisation differ: each code point by itself, and why. No id differs
# with a published vocabulary, which has neither these letters nor what either side makes of them.
# Capitals that Unicode 16 and 17 added: `tokenizers` 0.23 lowers them (Rust's tables are of Unicode
# 17), Python does from the release on whose Unicode has them.
NEW_CAPITALS = "1C89 A7CB-A7CC A7CE A7D2 A7D4 A7DA A7DC 10D50-10D65 16EA0-16EB8"
# Letters that Unicode 13 and 16 added and that decompose: Python takes them apart from that release
# on, `tokenizers`, whose decompositions are older, does not.
NEW_COMPOSITES = (
    "11938 105C9 105E4 11383 11385 1138E 11391 113C5 113C7-113C8 16121-16128 16D68-16D6A"
)


def code_points(table):
    return {c for first, last in unicode8.ranges(table) for c in range(first, last + 1)}


def every_character():
    """All of Unicode but surrogates; of planes 3 to 13 and 15 to 16, all alike, every 251st."""
    dense = (*range(0xD800), *range(0xE000, 0x33480), *range(0xE0000, 0xF0100))
    return map(chr, sorted({*dense, *range(0x33480, 0x110000, 251), 0x10FFFD, 0x10FFFE, 0x10FFFF}))


def normaliser(lowercase):
    return hf.normalizers.BertNormalizer(lowercase=lowercase)


def their_words(text, lowercase):
    normalised = normaliser(lowercase).normalize_str(text)
    return [word for word, _ in hf.pre_tokenizers.BertPreTokenizer().pre_tokenize_str(normalised)]


class Both:
    """The same vocabulary on both sides."""

    def __init__(self, path, lowercase):
        self.ours = WordPiece.load(path, lowercase)
        self.with_specials = hf.implementations.BertWordPieceTokenizer(
            str(path), lowercase=lowercase
        )
        model = hf.models.WordPiece(dict(self.ours.ids), unk_token="[UNK]")
        self.theirs = hf.Tokenizer(model)
        self.theirs.normalizer = normaliser(lowercase)
        self.theirs.pre_tokenizer = hf.pre_tokenizers.BertPreTokenizer()

    def differences(self, texts):
        """The first texts with different ids or offsets."""
        texts = list(texts)
        theirs = self.theirs.encode_batch(texts, add_special_tokens=False)
        return [
            text
            for text, right in zip(texts, theirs, strict=True)
            if self.ours.encode(text) != right.ids
            or self.ours.encode(text, offsets=True) != (right.ids, right.offsets)
        ]


@pytest.fixture(scope="session", params=CASES)
def both(request, data_dir, tmp_path_factory):
    packed = data_dir / "tokenizers" / f"bert_{request.param}_vocab.txt.xz"
    path = tmp_path_factory.mktemp(request.param) / "vocab.txt"
    path.write_bytes(lzma.decompress(packed.read_bytes()))
    return Both(path, CASES[request.param])


@pytest.mark.data
@pytest.mark.parametrize("name", files())
def test_the_beginning_of_every_file(both, data_dir, name):
    assert agree(both.differences, islice(texts(data_dir / name), 150))


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", files())
def test_every_line_of_every_file(both, data_dir, name):
    number = agree(both.differences, texts(data_dir / name))
    print(f"{name}: {number:,} texts, no difference", end=" ")


@pytest.mark.data
def test_other_scripts_in_wikipedia(both, data_dir):
    letter = re.compile(r"[^\W\d_\0-\u024f]")  # beyond the Latin blocks
    lines = islice(texts(data_dir / "wiki_train_00.txt.xz"), 20_000)
    foreign = [line for line in lines if letter.search(line)]
    scripts = {unicodedata.name(c).split()[0] for c in letter.findall("".join(foreign))}
    assert scripts >= {"GREEK", "CYRILLIC", "ARABIC", "HEBREW", "CJK", "HIRAGANA"}, scripts
    assert not both.differences(foreign)


@pytest.mark.data
@given(text=mixed.map("".join) | mixed.map(" ".join) | anything)
def test_made_up_text(both, text):
    assert not both.differences([text])


@pytest.mark.data
@given(text=mixed.map("".join) | mixed.map(" ".join))
def test_specials_in_the_text_count_when_asked_for(both, text):
    theirs = both.with_specials.encode(text, add_special_tokens=False)
    assert both.ours.encode(text, specials=True) == theirs.ids
    ours = both.ours.encode(text, offsets=True, specials=True)
    assert ours == (theirs.ids, theirs.offsets)


@pytest.mark.data
@pytest.mark.parametrize("length", [99, 100, 101])
def test_long_words(both, length):
    assert not both.differences(["a" * length, "é" * length + " b", "x" * length + "." * 200])


@pytest.mark.parametrize("lowercase", CASES.values(), ids=list(CASES))
def test_single_characters_differ_exactly_where_listed(lowercase):
    """Every code point of Unicode, after a letter, between two, and alone."""
    differ, block = set(), []

    def compare(characters):
        text = "".join(f"a{c} a{c}b {c} " for c in characters)
        if basic.words(text, lowercase, lowercase) == their_words(text, lowercase):
            return
        if len(characters) == 1:
            differ.add(ord(characters[0]))
            return
        compare(characters[: len(characters) // 2])
        compare(characters[len(characters) // 2 :])

    for character in every_character():
        block.append(character)
        if len(block) == 256:
            compare(block)
            block = []
    compare(block)
    capitals = {c for c in code_points(NEW_CAPITALS) if unicodedata.category(chr(c)) == "Cn"}
    composites = {c for c in code_points(NEW_COMPOSITES) if unicodedata.decomposition(chr(c))}
    assert differ == (capitals | composites if lowercase else set())


@pytest.mark.data
def test_the_exceptions_change_no_id(both):
    exceptions = map(chr, sorted(code_points(NEW_CAPITALS) | code_points(NEW_COMPOSITES)))
    assert not both.differences(f"{c} a{c} {c}b a{c}b {c}{c}" for c in exceptions)


def test_the_tables_are_those_of_tokenizers():
    options = {"handle_chinese_chars": False, "lowercase": False}
    clean = hf.normalizers.BertNormalizer(clean_text=True, strip_accents=False, **options)
    strip = hf.normalizers.BertNormalizer(clean_text=False, strip_accents=True, **options)
    split = hf.pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    tables = {"DROPPED": set(range(0xD800, 0xE000)), "MARKS": set(), "PUNCTUATION": set()}
    for character in every_character():
        if character not in clean.normalize_str(f"a{character}b"):
            if " " not in clean.normalize_str(f"a{character}b"):
                tables["DROPPED"].add(ord(character))
        if not strip.normalize_str(character):
            tables["MARKS"].add(ord(character))
        if len(split(f"a{character}b")) == 3:
            tables["PUNCTUATION"].add(ord(character))
    seen = {*map(ord, every_character()), *range(0xD800, 0xE000)}
    for name, found in tables.items():
        assert found == code_points(getattr(unicode8, name)) & seen, name


@pytest.mark.parametrize("lowercase", CASES.values(), ids=list(CASES))
def test_training_learns_what_their_trainer_learns(lowercase):
    """Every pair in many words, in large random numbers: no ties, which theirs breaks by chance."""
    for seed in range(20):
        rng = random.Random(seed)
        words = ["".join(rng.choices("abéÉdΣ", k=rng.randrange(1, 7))) for _ in range(80)]
        text = " ".join(word + " 東" for word in words for _ in range(rng.randrange(1, 500)))
        size = 20 + rng.randrange(10)
        theirs = hf.implementations.BertWordPieceTokenizer(lowercase=lowercase)
        theirs.train_from_iterator([text], size, min_frequency=2, show_progress=False)
        assert set(WordPiece.train([text], size, lowercase).tokens) == set(theirs.get_vocab())


def test_training_on_prose_learns_nearly_what_their_trainer_learns():
    texts = [document.text for document in world.generate(tokens=30_000, seed=0).documents]
    theirs = hf.implementations.BertWordPieceTokenizer(lowercase=True)
    theirs.train_from_iterator(texts, 1_000, min_frequency=2, show_progress=False)
    shared = set(WordPiece.train(texts, 1_000).tokens) & set(theirs.get_vocab())
    assert len(shared) >= 980, f"only {len(shared)} of 1,000 tokens are shared"
