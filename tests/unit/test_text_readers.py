"""What real files get wrong: the right reading, or one sentence with the file and the line."""

import json

import pytest

from minibert.data import readers
from minibert.data.sources import Member, Source
from minibert.heads.spans import span_examples
from minibert.text import WordPiece


@pytest.fixture
def written(tmp_path):
    """A function: content -> the Source of a file ``d`` with it."""

    def write(content):
        data = content if isinstance(content, bytes) else content.encode()
        tmp_path.joinpath("d").write_bytes(data)
        return Source(tmp_path / "d")

    return write


def sentences(source):
    return [(e.tokens, e.labels) for e in readers.tagged(None, [source, source]).train]


# Words and tags


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a\u00a0b\tO\nc\tB-X\n", [(("a\u00a0b", "c"), ("O", "B-X"))]),
        ("a\u00a0b O\nc B-X\n", [(("a\u00a0b", "c"), ("O", "B-X"))]),
        ("New York\tB-X\nis\tO\n", [(("New York", "is"), ("B-X", "O"))]),
        ("a\tO\t\nb\tO \n", [(("a", "b"), ("O", "O"))]),
        ("\ufeffa\tO\r\n\r\nb\tO\r\n", [(("a",), ("O",)), (("b",), ("O",))]),
        ("-DOCSTART- -X- -X- O\n\na N N O\n-DOCSTART- -X- O O\nb N N O\n",
         [(("a",), ("O",)), (("b",), ("O",))]),
        ("-DOCSTART-\tO\na\tO\n", [(("a",), ("O",))]),
        ("# id = 7\n# text = I am O\na\tO\n", [(("a",), ("O",))]),
        ("a\tO\n# text = b O\n\nb\tO\n", [(("a",), ("O",)), (("b",), ("O",))]),
        ("# O\na O\n", [(("#", "a"), ("O", "O"))]),
        ("#\tO\n", [(("#",), ("O",))]),
        ("a N O\n# N B-X\n# c O\n", [(("a", "#", "#"), ("O", "B-X", "O"))]),
        ("a I-X\nb I-X\nc I-Y\nd O\ne I-X\nf B-X\ng I-X\n",
         [(tuple("abcdefg"), ("B-X", "I-X", "B-Y", "O", "B-X", "B-X", "I-X"))]),
        ("a B-X\n\nb I-X\n", [(("a",), ("B-X",)), (("b",), ("B-X",))]),
    ],
)  # fmt: skip
def test_tagged_words(written, text, expected):
    assert sentences(written(text)) == expected


@pytest.mark.parametrize(
    "text, message",
    [
        ("a\tO\nb\n", r"d, line 2: expected a word and its tag"),
        ("a\tO\nb\tX\tO\n", r"d, line 2: expected 2 columns, as in the lines before"),
        ("a N O\nNew York N O\n", r"d, line 2: expected 3 columns"),
        ("a\tS-PER\n", r"d, line 1: expected a word and its tag \(O, B-\.\.\. or I-"),
        ("a\tB-\n", r"d, line 1: expected a word and its tag"),
        ("\tO\n", r"d, line 1: expected a word and its tag"),
        ("1\tSan\tB-LOC\t-\t-\n", r"d, line 1: expected a word and its tag"),
    ],
)
def test_tagged_words_that_are_refused(written, text, message):
    with pytest.raises(ValueError, match=message):
        sentences(written(text))


# Questions

TEXT = "Le café\u0301 opened in  1850 ."


def squad(*answers, **others):
    asked = {"id": "q7", "question": "When?", "answers": list(answers), **others}
    paragraphs = [{"context": TEXT, "qas": [asked]}]
    return json.dumps({"data": [{"title": "T", "paragraphs": paragraphs}]})


def at(text, start, **others):
    return {"text": text, "answer_start": start, **others}


@pytest.mark.parametrize("text, span", [("1850", (20, 24)), (" 1850 ", (20, 24)), ("1", (20, 21))])
def test_a_span_is_that_of_the_answer_without_the_spaces_around_it(written, text, span):
    (one,) = readers.squad(None, [written(squad(at(text, TEXT.index(text))))])
    assert one.span == span and one.text[slice(*span)] == text.strip()


@pytest.mark.parametrize(
    "answers, message",
    [
        ([at("1850", 19)], "'1850' to question 'q7' does not stand at answer_start 19; it .* 20"),
        ([at("1850", 21)], "does not stand at answer_start 21; it stands at 20"),
        ([at("1851", 20)], "'1851' to question 'q7' .* it is nowhere in its text"),
        ([at("1850", 20), at("Le", 1)], "the answer 'Le' to question 'q7' does not stand"),
        ([at("1850", 1, ambiguous=True), at("Le", 0)], "'1850' to question 'q7' does not stand"),
        ([at("1850", -5)], "at answer_start -5"),
        ([at("1850", "20")], "at answer_start '20'"),
        ([at("1850", True)], "at answer_start True"),
        ([at("", 3)], "an answer to question 'q7' is empty"),
        ([at(" ", 2)], "an answer to question 'q7' is empty"),
        ([{"text": "1850"}], "not laid out as SQuAD is: no 'answer_start' in it"),
    ],
)  # fmt: skip
def test_answers_that_do_not_stand_where_they_should(written, answers, message):
    with pytest.raises(ValueError, match=message) as caught:
        readers.squad(None, [written(squad(*answers))])
    assert "/d is not laid out as SQuAD is" in str(caught.value)


def test_spans_that_end_in_a_space_or_an_accent_are_answers_for_the_model():
    """The characters that belong to no token are left out: no such span is "no answer"."""
    pieces = "[PAD] [UNK] [CLS] [SEP] [MASK] le cafe opened in 1850 .".split()
    tokenizer, context = WordPiece(pieces), "Le cafe\u0301 opened in 1850 ."
    whole = (0, len(context))
    spans = {(0, 3): (5, 5), (3, 8): (6, 6), (2, 9): (6, 6), (0, 8): (5, 6), whole: (5, 10)}
    for span, wanted in spans.items():
        (one,) = span_examples(tokenizer, [("in 1850 .", context, span)])
        got = one["start_positions"], one["end_positions"]
        assert got == wanted, span
        assert one["input_ids"][got[0]] == pieces.index("le" if span[0] == 0 else "cafe")
    with pytest.raises(ValueError, match="the answer ' ' at 2 contains no token"):
        span_examples(tokenizer, [("in", context, (2, 3))])
    for beyond in ((0, 99), (-2, 2), (3, 3), (4, 2)):
        with pytest.raises(ValueError, match=f"an answer from 0 .* got {beyond[0]} to {beyond[1]}"):
            span_examples(tokenizer, [("in", context, beyond)])


def test_whether_a_question_has_an_answer_is_true_or_false(tmp_path):
    asked = {"id": "1", "question": "Why?", "answers": [], "is_impossible": "false"}
    told = {"data": [{"title": "A", "paragraphs": [{"context": "Text.", "qas": [asked]}]}]}
    (tmp_path / "squad.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match="is_impossible is 'false', not true or false"):
        readers.questions_of(Source(tmp_path / "squad.json"))


def test_a_span_in_another_window_is_still_no_answer_here():
    tokenizer = WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"])
    found = span_examples(tokenizer, [("a", "a b c d e f g h", (8, 12))], max_length=8, stride=2)
    kept = [(one["start_positions"], one["end_positions"]) for one in found]
    assert kept == [(0, 0), (5, 6), (3, 4)]


# Lines of JSON


PAIR = '{"premise": "A", "hypothesis": "B", "label": %s}\n'


def test_pairs_without_a_gold_label_are_left_out_and_blank_lines_are_none(written):
    text = PAIR % '"neutral"' + "\r\n" + PAIR % '"-"' + PAIR % '"entailment"' + "\n\n"
    data = readers.inference(None, [written("\ufeff" + text)])
    assert [one.label for one in data] == ["neutral", "entailment"]


@pytest.mark.parametrize("label", ['"Neutral"', '"neutral "', "1", "-1", "null", '""', "true"])
def test_any_other_label_is_named_with_its_line(written, label):
    with pytest.raises(ValueError, match="d, line 2: expected an object .* of entailment"):
        readers.inference(None, [written(PAIR % '"neutral"' + PAIR % label)])


@pytest.mark.parametrize(
    "line, message",
    [
        ('{"text": "a"}', "line 2: expected an object with text, label, the last one of 0, 1"),
        ('{"label": 1}', "line 2: expected an object with text, label"),
        ('{"text": "a", "label": 2}', "line 2: expected .* the last one of 0, 1"),
        ('{"text": "a", "label": -1}', "line 2: expected"),
        ('{"text": "a", "label": 1.0}', "line 2: expected"),
        ('{"text": "a", "label": "1"}', "line 2: expected"),
        ('{"text": "a", "label": true}', "line 2: expected"),
        ('{"text": null, "label": 1}', "line 2: expected"),
        ('["a", 1]', "line 2: expected"),
        ("a,1", "line 2: "),
        ('{"text": "a", "label": 1, "label": 0}', "line 2: the key 'label' stands twice"),
    ],
)
def test_labelled_lines_that_are_refused(written, line, message):
    with pytest.raises(ValueError, match=f"d, {message}"):
        readers.polarity(None, [written('{"text": "a", "label": 1}\n' + line + "\n")])


# Word pairs and analogies


def test_ratings_with_spaces_and_windows_line_ends(written):
    data = readers.similarity(None, [written("\ufeffa\tcat \t 7.35\r\n \r\nb\tpaper\t7e0\r\n")])
    assert data.pairs == [("a", "cat"), ("b", "paper")]
    assert data.scores.tolist() == [7.35, 7.0] and repr(data) == "RatedPairs(2 pairs)"


@pytest.mark.parametrize(
    "line",
    ["Word 1\tWord 2\tHuman", "a\tb", "a\tb\t3\t4", "a\t\t3", "a\tb\t3,5", "a\tb\tnan", "a b 3"],
)
def test_ratings_that_are_refused(written, line):
    with pytest.raises(ValueError, match="d, line 2: expected word, tab, word, tab, score"):
        readers.similarity(None, [written(f"a\tb\t1\n{line}\n")])


def test_a_section_of_analogies_may_go_on_later(written):
    text = ": family\r\na b c d\r\n: other\ne f g h\n: family\ni j k l\n"
    sections = readers.analogies(None, [written(text)]).sections
    assert sections == {
        "family": [tuple("abcd"), tuple("ijkl")],
        "other": [tuple("efgh")],
    }


@pytest.mark.parametrize("text", ["a b c d\n", ": one\na b c\n", ": one\na b c d e\n"])
def test_analogies_that_are_refused(written, text):
    with pytest.raises(ValueError, match="d, line .: expected four words below the name of a sect"):
        readers.analogies(None, [written(text)])


def test_questions_to_a_bank(written):
    text = 'text,category\nHow do I top up?,top_up\n"\nIt ""hangs"",\nagain",app?\n'
    data = readers.intents(None, [written(text), written(text)])
    assert data.kind == "text" and data.labels == ("app?", "top_up") and len(data) == 4
    assert [(e.text, e.label) for e in data][:2] == [
        ("How do I top up?", "top_up"),
        ('\nIt "hangs",\nagain', "app?"),
    ]
    assert data.groups == [e.text for e in data]


@pytest.mark.parametrize(
    "text, message",
    [
        ("text,intent\na,b\n", "d, line 1: expected one column 'category'"),
        ("text,category\na,b,c\n", "d, line 2: expected 2 columns as in the first line"),
        ('text,category\n"a,b\n', "d, line 2: the row that begins here is no CSV"),
    ],
)
def test_questions_to_a_bank_that_are_refused(written, text, message):
    with pytest.raises(ValueError, match=message):
        readers.intents(None, [written(text)])


@pytest.mark.parametrize("reader", ["intents", "similarity", "analogies", "polarity", "inference"])
@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_file_is_no_data_set(written, reader, text):
    with pytest.raises(ValueError, match="d is empty"):
        getattr(readers, reader)(None, [written(text)])


# Archives


class Archive:
    """What stands for an archive: its path and its members."""

    def __init__(self, tmp_path, **members):
        self.path, self.held = tmp_path / "a.zip", members

    def members(self):
        return iter(self.held.items())


def test_a_member_may_have_a_mark_and_windows_line_ends(tmp_path):
    held = Archive(tmp_path, d=b"\xef\xbb\xbfone\r\ntwo\r\n")
    assert list(Member(held, "d").lines()) == ["one", "two"]


def test_an_archive_of_reviews_must_hold_all_and_in_utf8(tmp_path):
    review = {"aclImdb/train/neg/1_1.txt": b"bad", "aclImdb/test/pos/2_9.txt": b"caf\xe9"}
    with pytest.raises(ValueError, match="2_9.txt cannot be read as text"):
        readers.imdb_archive(None, [Archive(tmp_path, **review)])
    with pytest.raises(ValueError, match="lacks reviews: expected aclImdb/train/neg"):
        readers.imdb_archive(None, [Archive(tmp_path, README=b"")])
