"""Files of word vectors: gensim reads what is written here, and the other way round."""

import gzip
import lzma
import tracemalloc

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.models.word2vec import files

WORDS = ["the", "cat", "naïve", "東京", "don't", "e-mail", "🙂", "3.14", "a\u00a0b", "Zürich"]


@pytest.fixture(scope="module")
def gensim():
    return pytest.importorskip("gensim.models", reason="gensim is not installed")


def numbers(words=10, dim=7, seed=0, spread=20):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(words, dim)) * 10.0 ** rng.integers(-spread, spread + 1, (words, 1))
    return vectors.astype(np.float32)


@pytest.mark.parametrize("packed", ["", ".gz", ".xz"])
@pytest.mark.parametrize("form", ["text", "binary", "glove"])
def test_gensim_reads_what_we_write(gensim, tmp_path, form, packed):
    path = tmp_path / f"vectors.{form}{packed}"
    files.write(path, WORDS, numbers(), form)
    theirs = gensim.KeyedVectors.load_word2vec_format(
        str(path), binary=form == "binary", no_header=form == "glove"
    )
    assert theirs.index_to_key == WORDS
    assert np.array_equal(theirs.vectors, numbers())


@pytest.mark.parametrize("packed", ["", ".gz", ".xz"])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("header", [True, False])
def test_we_read_what_gensim_writes(gensim, tmp_path, binary, header, packed):
    if binary and not header:
        pytest.skip("no such format")
    theirs = gensim.KeyedVectors(7)
    theirs.add_vectors(WORDS, numbers())
    path = tmp_path / f"vectors.data{packed}"
    theirs.save_word2vec_format(str(path), binary=binary, write_header=header, sort_attr=None)
    words, vectors = files.read(path)
    assert words == WORDS
    assert np.array_equal(vectors, numbers())


@pytest.mark.parametrize("form", files.FORMS)
def test_reading_gives_back_exactly_what_was_written(tmp_path, form):
    path = tmp_path / "vectors"
    files.write(path, WORDS, numbers(), form)
    words, vectors = files.read(path)
    assert words == WORDS and vectors.dtype == np.float32
    assert np.array_equal(vectors, numbers())
    first, some = files.read(path, limit=3)
    assert first == WORDS[:3] and np.array_equal(some, numbers()[:3])


def test_the_authors_own_program_ends_each_vector_with_a_line_break(tmp_path):
    path = tmp_path / "vectors.bin"
    rows = [w.encode() + b" " + v.tobytes() + b"\n" for w, v in zip(WORDS, numbers(), strict=True)]
    path.write_bytes(b"10 7\n" + b"".join(rows))
    words, vectors = files.read(path)
    assert words == WORDS and np.array_equal(vectors, numbers())


def test_fasttext_and_glove_peculiarities_are_read(tmp_path):
    vec = tmp_path / "wiki.vec"
    vec.write_text("2 3\n</s> 1 2 3 \n, 4 5 6 \n")  # fastText: a space before the line break
    words, vectors = files.read(vec)
    assert words == ["</s>", ","] and vectors.tolist() == [[1, 2, 3], [4, 5, 6]]
    glove = tmp_path / "glove.840B.txt"
    glove.write_bytes(b"the 1 2 3\r\n. . . 4 5 6\r\nat name@x.com -7 8e-2 9\r\n")
    words, vectors = files.read(glove)
    assert words == ["the", ". . .", "at name@x.com"]
    assert vectors[2].tolist() == [-7, np.float32(0.08), 9]


def test_many_vectors_are_read_across_the_borders_of_the_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "READ", 97)
    monkeypatch.setattr(files, "BLOCK", 8)
    words = [f"word{i}" for i in range(100)]
    for form in files.FORMS:
        files.write(tmp_path / form, words, numbers(100, 5), form)
        found, vectors = files.read(tmp_path / form)
        assert found == words and np.array_equal(vectors, numbers(100, 5))


def test_a_model_is_made_from_any_of_them(gensim, tmp_path):
    files.write(tmp_path / "vectors.bin", WORDS, numbers(spread=1), "binary")
    model = mb.Word2Vec.from_pretrained(tmp_path / "vectors.bin")
    theirs = gensim.KeyedVectors.load_word2vec_format(str(tmp_path / "vectors.bin"), binary=True)
    for word in WORDS:
        ours = model.neighbours(word, k=3)
        expected = theirs.most_similar(word, topn=3)
        assert [w for w, _ in ours] == [w for w, _ in expected]
        assert [c for _, c in ours] == pytest.approx([c for _, c in expected], abs=1e-5)
    files.write(tmp_path / "again.txt", model.vocab.tokens, model.vectors)
    assert torch.equal(mb.Word2Vec.from_pretrained(tmp_path / "again.txt").vectors, model.vectors)


BINARY = b"3 2\n" + b"".join(w + np.ones(2, "<f4").tobytes() for w in (b"a ", b"b ", b"c "))
HOSTILE = {
    "a count beyond the file": (b"999999999999 300\na 1 2\n", "cut short, or is something else"),
    "dimensions beyond reason": (b"1 99999999999\na " + b"0" * 99, "dimensions; expected 1 to"),
    "no dimensions": (b"1 0\na\n", "0 dimensions"),
    "binary cut in a vector": (BINARY[:-3], "cut short"),
    "text cut in a vector": (b"2 3\na 1 2 3\nb 1 2", "expected a word and 3 numbers"),
    "fewer words than said": (b"3 2\naaaaaaa 1 2\nbbbbbbb 1 2\n", "says 3 words and has only 2"),
    "more words than said": (b"1 2\na 1 2\nb 1 2\n", "says 1 words and has more"),
    "more binary than said": (b"2" + BINARY[1:], "says 2 words and has more"),
    "a number that is none": (b"2 2\na 1 2\nb 1 x\n", "expected a word and 2 numbers"),
    "not a number": (b"2 2\na 1 2\nb nan 1\n", "not finite: that of 'b'"),
    "infinity": (b"2 2\na 1 2\nb 1 -inf\n", "not finite: that of 'b'"),
    "too large for float32": (b"1 2\na 1 1e99\n", "not finite: that of 'a'"),
    "lines of different lengths": (b"a 1 2 3\nb 1 2\n", "expected a word and 3 numbers"),
    "a word twice": (b"a 1 2\nb 1 2\na 3 4\n", "the word 'a' more than once"),
    "no word": (b"2 2\na 1 2\n 3 4\n", "expected a word and 2 numbers"),
    "not UTF-8": (b"1 2\n\xff\xfe 1 2\n", "not UTF-8"),
    "an empty file": (b"", "is no file of word vectors"),
    "only a header": (b"0 5\n", "no word vectors"),
    "prose": (b"Once upon a time there was a cat.\nIt sat.\n", "is no file of word vectors"),
    "an endless word": (b"2 4\n" + b"x" * 50_000, "no word where one should begin"),
    "zeros": (bytes(100_000), "is no file of word vectors"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("packed", [None, gzip, lzma])
def test_a_damaged_or_hostile_file_is_one_clear_error(tmp_path, name, packed):
    data, message = HOSTILE[name]
    path = tmp_path / {None: "vectors.txt", gzip: "vectors.gz", lzma: "vectors.xz"}[packed]
    path.write_bytes(packed.compress(data) if packed else data)
    if name == "a count beyond the file" and packed:
        message = "expected a word and 300 numbers|cut short|no word where one"
    tracemalloc.start()
    with pytest.raises(ValueError, match=message):
        files.read(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 100e6  # bytes, whatever the first line says


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_a_packed_file_that_is_cut_short_or_is_none_is_an_error(tmp_path, suffix):
    path = tmp_path / f"vectors.txt{suffix}"
    files.write(path, WORDS, numbers())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="cannot be unpacked"):
        files.read(path)
    path.write_bytes(b"the 1 2 3\n")
    with pytest.raises(ValueError, match="cannot be unpacked"):
        files.read(path)


def test_words_that_are_not_utf8_can_be_read_with_replacement(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_bytes(b"1 2\n\xffx 1 2\n")
    assert files.read(path, errors="replace")[0] == ["\ufffdx"]


@pytest.mark.parametrize("word", ["two words", "", "line\nbreak", "tab\t"])
def test_a_word_that_no_form_can_hold_is_refused_and_leaves_no_file(tmp_path, word):
    for form in files.FORMS:
        with pytest.raises(ValueError, match="white space"):
            files.write(tmp_path / "vectors", ["fine", word], numbers(2), form)
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_together_is_refused(tmp_path):
    with pytest.raises(ValueError, match="a row for each of 2 words"):
        files.write(tmp_path / "vectors", ["a", "b"], numbers(3))
    with pytest.raises(ValueError, match="form must be one of"):
        files.write(tmp_path / "vectors", ["a"], numbers(1), "fasttext")
