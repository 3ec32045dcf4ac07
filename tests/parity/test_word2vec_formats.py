"""Files of word vectors: gensim reads what is written here, and the other way round."""

import gzip
import lzma
import tracemalloc

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.models.word2vec import vector_rows
from minibert.models.word2vec import vectors as files

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
    monkeypatch.setattr(vector_rows, "READ", 97)
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
    "lines of different lengths": (b"a 1 2 3\nb 1 2\n", "neither a header .* nor a word and 2 num"),
    "a short line below": (b"a 1 2 3\nb 1 2 3\nc 1 2\n", "line 3: expected a word and 3 numbers"),
    "a number too many": (b"a 1 2\nb 1 2\nof 5 1 2\n", r"line 3: expected .* got b'of 5 1 2'"),
    "a number too many in front": (b"of 5 1 2\na 1 2\nb 1 2\n", "its first line, b'of 5 1 2'"),
    "a number too many under a header": (b"2 2\na 1 2\nof 5 1 2\n", "line 3: expected a word and"),
    "a header of three": (b"3 4 1\na 1 2 3 4\nb 1 2 3 4\n", "b'3 4 1', is neither a header"),
    "a header with points": (b"2.0 3.0\na 1 2 3\nb 1 2 3\n", "b'2.0 3.0', is neither a header"),
    "a title": (b"glove 2014\na 1 2 3\nb 1 2 3\n", "b'glove 2014', is neither a header"),
    "a title of words": (b"GloVe vectors\na 1 2\nb 1 2\n", "b'GloVe vectors', is neither a head"),
    "a comment": (b"# 2 words\na 1 2\nb 1 2\n", "b'# 2 words', is neither a header"),
    "a title alone": (b"glove 2014\n", "a single number for each word"),
    "counts": (b"the 500\nof 200\nto 100\n", "a single number for each word"),
    "another dimension": (b"2 3\na 1 2\nb 1 2\n", "line 2: expected a word and 3 numbers"),
    "more dimensions": (b"2 1\na 1 2\nb 1 2\n", "more than a word before the 1 numbers"),
    "decimal commas": (b"2 2\na 0,5 0,25\nb 1,5 1,0\n", r"decimal points in them, got b'a 0,5"),
    "decimal commas, no header": (b"a 0,5 0,25\nb 1,5 1,0\n", "with spaces between them and point"),
    "numbered columns": (b"2 2\na 0:0.5 1:0.2\nb 0:1 1:2\n", "expected a word and 2 numbers"),
    "commas": (b"the,0.1,0.2\nof,0.3,0.4\n", "with spaces between them"),
    "JSON": (b'{"the": [0.1, 0.2]}\n', "is no file of word vectors"),
    "a column of ranks": (b"0 the 1 2\n1 of 3 4\n", "more than a word before the 2 numbers"),
    "a colon apart": (b"the : 1 2\nof : 3 4\n", "more than a word before the 2 numbers"),
    "line ends of old": (
        b"a 1 2\rb 1 2\rc 1 2\r",
        "expected a word and 2 numbers|more than a word",
    ),
    "UTF-16": ("a 1 2\nb 3 4\n".encode("utf-16"), "UTF-16; save it as UTF-8"),
    "a fastText model": (b"\xba\x16\x4f\x2f" + bytes(99), "vectors are in the file .vec"),
    "a pickle": (b"\x80\x04\x95" + bytes(99), "is a pickle"),
    "a zip": (b"PK\x03\x04" + bytes(99), "zip archive; unpack it first"),
    "no word": (b"2 2\na 1 2\n 3 4\n", "expected a word and 2 numbers"),
    "not UTF-8": (b"1 2\n\xff\xfe 1 2\n", "not UTF-8"),
    "an empty file": (b"", "is no file of word vectors: it is empty"),
    "only a header": (b"0 5\n", "no word vectors"),
    "prose": (b"Once upon a time there was a cat.\nIt sat.\n", "is no file of word vectors"),
    "an endless word": (b"2 4\n" + b"x" * 50_000, "line 2: expected a word and 4 numbers"),
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
    path.write_bytes(b"3 2\n\xffx 1 2\nb 3 4\n\xfex 5 6\n")
    with pytest.warns(UserWarning, match="1 of 3 vectors belong to a word that came before"):
        words, vectors = files.read(path, errors="replace")
    assert words == ["\ufffdx", "b"] and vectors.tolist() == [[1, 2], [3, 4]]
    model = mb.Word2Vec.from_pretrained(path, limit=2, errors="replace")
    assert model.vocab.tokens == ["\ufffdx", "b"]
    assert files.read(path, limit=2, errors="ignore")[0] == ["x", "b"]
    with pytest.raises(ValueError, match="errors is what bytes.decode takes"):
        files.read(path, errors="junk")


@pytest.mark.parametrize("binary", [False, True])
def test_of_a_word_that_stands_twice_the_first_is_kept_as_gensim_does(gensim, tmp_path, binary):
    rows = [(b"a", [1, 2]), (b"b", [3, 4]), (b"a", [5, 6]), (b"c", [7, 8]), (b"b", [9, 0])]
    path = tmp_path / "vectors"
    with path.open("wb") as file:
        file.write(b"5 2\n")
        for word, vector in rows:
            numbers = np.array(vector, "<f4").tobytes() if binary else b"%d %d\n" % tuple(vector)
            file.write(word + b" " + numbers)
    with pytest.warns(UserWarning, match="2 of 5 vectors belong .* such as 'a'; the first"):
        words, vectors = files.read(path)
    assert words == ["a", "b", "c"] and vectors.tolist() == [[1, 2], [3, 4], [7, 8]]
    theirs = gensim.KeyedVectors.load_word2vec_format(str(path), binary=binary)
    assert [word for word in theirs.index_to_key if word] == words  # it leaves the others' places
    assert np.array_equal(theirs[words], vectors)
    theirs = gensim.KeyedVectors.load_word2vec_format(str(path), binary=binary, limit=3)
    with pytest.warns(UserWarning, match="1 of 3 vectors"):
        words, vectors = files.read(path, limit=3)
    assert [word for word in theirs.index_to_key if word] == words
    assert np.array_equal(theirs[words], vectors)


@pytest.mark.parametrize("head", [b"", b"3 2\n", b"3\t2\r\n"])
def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path, head):
    path = tmp_path / "vectors.txt"
    path.write_bytes(b"\xef\xbb\xbf" + head + b"a 1 2\nb 3 4\n5 6 7\n")
    words, vectors = files.read(path)
    assert words == ["a", "b", "5"] and vectors.tolist() == [[1, 2], [3, 4], [6, 7]]


def test_words_that_look_like_numbers_are_words(gensim, tmp_path):
    path = tmp_path / "glove.txt"
    path.write_bytes(b"2014 1 2\nnan 3 4\n3 4 5\n0,5 6 7\n1_000 8 9\ninf 1 1\n")
    words, vectors = files.read(path)
    assert words == ["2014", "nan", "3", "0,5", "1_000", "inf"]
    theirs = gensim.KeyedVectors.load_word2vec_format(str(path), binary=False, no_header=True)
    assert theirs.index_to_key == words and np.array_equal(theirs.vectors, vectors)


def test_phrases_may_stand_before_a_tab(tmp_path):
    path = tmp_path / "phrases.txt"
    path.write_bytes(b"new york\t1\t2\nlos angeles\t3\t4\n")
    assert files.read(path)[0] == ["new york", "los angeles"]


@pytest.mark.usefixtures("unchecked")
def test_the_limit_reads_the_beginning_alone(tmp_path):
    path = tmp_path / "cut.vec"  # the first lines of a large file, header and all
    path.write_bytes(b"2000000 2\na 1 2\nb 3 4\nc 5")
    assert files.read(path, limit=2)[0] == ["a", "b"]
    assert mb.Word2Vec.from_pretrained(path, limit=1).vocab.tokens == ["a"]
    for limit in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match="limit must be a positive whole number or None"):
            files.read(path, limit=limit)


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("count", [1, 2])
def test_few_binary_numbers_without_control_codes_are_not_taken_for_text(tmp_path, dim, count):
    path, words = tmp_path / "vectors.bin", ["a", "b"][:count]
    vectors = np.frombuffer(b"ab~?" * dim * count, "<f4").reshape(count, dim)
    files.write(path, words, vectors, "binary")
    found, read = files.read(path)
    assert found == words and np.array_equal(read, vectors)


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
    with pytest.raises(ValueError, match="the word 'a' stands more than once"):
        files.write(tmp_path / "vectors", ["a", "b", "a"], numbers(3))
    with pytest.raises(ValueError, match="not finite"):
        files.write(tmp_path / "vectors", ["a"], [[1, float("nan")]])
    with pytest.raises(ValueError, match="with a header"):
        files.write(tmp_path / "vectors", ["a"], [[1]], "glove")
    assert not list(tmp_path.iterdir())
