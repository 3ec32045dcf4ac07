"""A file of one's own: what is read from it, and one sentence for whatever is wrong with it."""

import gzip
import lzma

import pytest

import minibert as mb
from minibert.data import own_files
from minibert.data.corpora import split_groups


@pytest.fixture
def load(tmp_path):
    """A function: (name, content, options) -> what `mb.data.load` makes of such a file."""

    def read(name, content, **options):
        data = content if isinstance(content, bytes) else content.encode()
        tmp_path.joinpath(name).write_bytes(data)
        return mb.data.load(tmp_path / name, **options)

    return read


# Tables


TABLE = 'text,label\n"Good, and ""new""",yes\n"two\nlines",no\n\n,\nCafé , yes \n'


@pytest.mark.parametrize(
    "content",
    [
        TABLE,
        TABLE.replace("\n", "\r\n"),
        TABLE.encode("utf-8-sig"),
        TABLE.replace("text,label", " text, label"),
        TABLE.replace("text,label", '"text","label"'),
    ],
)
def test_a_table_of_texts_and_labels(load, content):
    data = load("d.csv", content)
    assert data.kind == "text" and data.labels == ("no", "yes")
    found = [(e.text, e.label, e.info["line"]) for e in data]
    assert found == [('Good, and "new"', "yes", 2), ("two\nlines", "no", 3), ("Café ", "yes", 7)]
    assert data[0].text_b is None and data.groups == [e.text for e in data]


@pytest.mark.parametrize("mark", ",;\t")
@pytest.mark.parametrize("name", ["d.csv", "d.tsv", "d.CSV"])
def test_columns_may_have_other_names_and_other_marks(load, mark, name):
    rows = [["id", "stars", "review", "reply"], ["1", "10", "a", "b"], ["2", "9", "c", "d"]]
    content = "\n".join(mark.join(row) for row in rows)
    data = load(name, content, text="review", label="stars")
    assert [(e.text, e.text_b, e.label) for e in data] == [("a", None, "10"), ("c", None, "9")]
    assert data.labels == ("9", "10")  # as numbers
    data = load(name, content, text="review", label="stars", other="reply")
    assert [(e.text, e.text_b) for e in data] == [("a", "b"), ("c", "d")]


def test_a_column_called_other_makes_pairs(load):
    (one, two) = load("d.csv", "text,other,label\na,b,x\nc,d,y\n")
    assert (one.text, one.text_b, two.text, two.text_b) == ("a", "b", "c", "d")
    three = load("d.csv", "text,other,label\na,b,10\nc,d,9\ne,f,x\n")
    assert three.labels == ("10", "9", "x") and three.targets == ["10", "9", "x"]
    assert three.inputs == [("a", "b"), ("c", "d"), ("e", "f")]


def test_json_lines_and_compressed_files(load):
    lines = '{"text": "a", "label": 1, "more": [1]}\n\n{"label": 0, "text": "b"}\n'
    data = load("d.jsonl", lines)
    assert [(e.text, e.label, e.info["line"]) for e in data] == [("a", "1", 1), ("b", "0", 3)]
    packed = load("d.csv.gz", gzip.compress(b"text,label\na,x\nb,y\n"))
    assert packed.kind == "text" and packed.labels == ("x", "y")


def test_several_labels_for_a_text(load):
    data = load("d.csv", "text,label\na,y; x\nb,\nc,x;x;\n", separator=";")
    assert [e.label for e in data] == [("x", "y"), (), ("x",)] and data.labels == ("x", "y")


def test_known_labels_keep_their_order(load):
    data = load("d.csv", "text,label\na,x\n", labels=("y", "x"))
    assert data.labels == ("y", "x")
    with pytest.raises(ValueError, match="d.csv, line 3: expected one of the labels y, x, got 'z'"):
        load("d.csv", "text,label\na,x\nb,z\n", labels=("y", "x"))


START = "text,label\na,x\n"


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "d.csv is empty"),
        ("text,label\n", "d.csv holds no examples"),
        ("review,stars\na,x\n", "line 1: expected one column 'text' .*, got 'review, stars'"),
        ("text;star\na;x\n", "line 1: expected one column 'text'"),
        ("text,text,label\na,b,x\n", "line 1: expected one column 'text'"),
        ("a,x\nb,y\n", r"line 1: expected one column 'text' \(or say what it is called"),
        (START + "b,c,y\n", r"line 3: expected 2 columns as in the first line .*, got 'b,c,y'"),
        (START + "b\n", "line 3: expected 2 columns"),
        (START + " ,y\n", "line 3: expected a text that is not empty"),
        (START + "b, \n", "line 3: expected a label in the column 'label', got ''"),
        (START + "b,x\n", r"d.csv: expected at least two labels, got only \['x'\]"),
        (START + '"b,y\nc,x\nd,y\n', "line 3: the row that begins here is no CSV .*: put quotes"),
        (START + '"b "new" c",y\n', "line 3: the row that begins here is no CSV"),
        (START + '"two\nlines",y\n"b" c,y\n', "line 5: the row that begins here is no CSV"),
        ((START + "café,y\n").encode("latin-1"), "d.csv cannot be read as text: line 3 is not UTF"),
        (START.encode("utf-16"), "d.csv cannot be read as text: line 1 is not UTF-8 .*; save the"),
        (START.replace("\n", "\r"), "line 1: the row that begins here is no CSV"),
        ("text,label\n" + "".join(f"t{i},{i}\n" for i in range(40)), "40 labels for 40 texts"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table_is_named_with_its_line(load, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        load("d.csv", content)
    assert "d.csv" in str(caught.value)


@pytest.mark.parametrize(
    "line, message",
    [
        ('{"text": "b"}', "line 2: expected one column 'label' .*, got 'text'"),
        ('{"text": 3, "label": "y"}', "line 2: expected a text that is not empty"),
        ('{"text": "b", "label": null}', "line 2: expected a label"),
        ('["b", "y"]', "line 2: expected an object"),
        ("b,y", "line 2: "),
    ],
)
def test_what_is_wrong_with_lines_of_json(load, line, message):
    with pytest.raises(ValueError, match=f"d.jsonl, {message}"):
        load("d.jsonl", '{"text": "a", "label": "x"}\n' + line)


# Words


UNIVERSAL = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"


def universal(*words, sent="1"):
    rows = (f"{i}\t{form}\t_\t{tag}" + "\t_" * 6 for i, form, tag in words)
    return f"# sent_id = {sent}\n" + "\n".join(rows) + "\n\n"


def test_conllu_gives_words_and_parts_of_speech(load):
    du = [("1", "Vue", "NOUN"), ("2-3", "du", "_"), ("2", "de", "ADP"), ("3", "le", "DET")]
    empty = [("1", "Ana", "PROPN"), ("1.1", "ate", "VERB"), ("2", "#", "SYM"), ("3", "à b", "X")]
    data = load("d.conllu", universal(*du) + universal(*empty).rstrip("\n"))
    assert data.kind == "words" and data.labels == ("ADP", "DET", "NOUN", "PROPN", "SYM", "X")
    assert [e.tokens for e in data] == [("Vue", "de", "le"), ("Ana", "#", "à b")]
    assert data[1].labels == ("PROPN", "SYM", "X") and data[0].text == "Vue de le"


def test_conllu_gives_trees_where_each_word_has_a_head(load):
    rows = ("1-2\tdu" + "\t_" * 8, "1\tde\t_\tADP\t_\t_\t2\tcase\t_\t_",
            "2\tpays\t_\tNOUN\t_\t_\t0\troot\t_\t_", "2.1\tx" + "\t_" * 8)  # fmt: skip
    tree = "\n".join(rows) + "\n\n"
    data = load("d.conllu", tree + universal(("1", "a", "X")) + tree.replace("\t2\tc", "\t3\tc"))
    assert data[0].info["heads"] == (1, -1) and data[0].info["relations"] == ("case", "root")
    assert all("heads" not in one.info for one in (data[1], data[2]))  # none, and one beyond


@pytest.mark.parametrize(
    "content, message",
    [
        (universal(("1", "a", "_")), "line 2: expected word 1 of its sentence with its part of"),
        (universal(("1", "a", "X"), ("3", "b", "X")), "line 3: expected word 2 of its sentence"),
        (universal(("2", "a", "X")), "line 2: expected word 1"),
        (universal(("x", "a", "X")), "line 2: expected 10 columns with tabs"),
        ("1\ta\tX\n", "line 1: expected 10 columns with tabs"),
        ("1 a _ X _ _ _ _ _ _\n", "line 1: expected 10 columns with tabs"),
        (universal(("1", "a", "X")), r"expected at least two labels, got only \['X'\]"),
        ("# nothing\n", "holds no examples"),
    ],
)
def test_conllu_that_is_refused(load, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        load("d.conllu", content)
    assert "d.conllu" in str(caught.value)


def test_a_treebank_has_all_its_words(data_dir):
    path = data_dir / "en_ewt-ud-dev.conllu.xz"
    data = mb.data.load(path)
    lines = lzma.open(path, "rt", encoding="utf-8").read().splitlines()
    assert len(data) == sum(line.startswith("# text = ") for line in lines)
    ids = [line.split("\t")[0] for line in lines if "\t" in line]
    assert any(not one.isdecimal() for one in ids)  # there are tokens of several words
    assert sum(len(e.tokens) for e in data) == sum(one.isdecimal() for one in ids)
    assert set(data.labels) == set(UNIVERSAL.split())  # the format's seventeen


def test_tagged_words_and_a_kind_that_the_ending_does_not_tell(load):
    content = "# comment\nAna N B-PER\nate V O\n\nBo N I-PER\n"
    for name, kind in (("d.conll", None), ("d.iob", None), ("d.txt", "words"), ("d", "words")):
        data = load(name, content, kind=kind)
        assert (data.kind, data.labels) == ("words", ("B-PER", "O"))
        assert [e.tokens for e in data] == [("Ana", "ate"), ("Bo",)]
        assert (data.inputs, data.targets[0]) == ([["Ana", "ate"], ["Bo"]], ["B-PER", "O"])
    with pytest.raises(ValueError, match="d.conll, line 5: expected one of the labels O, B-LOC"):
        load("d.conll", content.replace("Ana N B-PER", "Ana N O"), labels=("O", "B-LOC"))


# Questions


def test_questions_stay_together_by_article_or_by_paragraph(load):
    def squad(*titles):
        asked = '{"id": "%s", "question": "Who?", "answers": [{"text": "Ana", "answer_start": 0}]}'
        paragraph = '{"context": "Ana %s", "qas": [' + asked + "]}"
        articles = (
            f'{{"title": "{title}", "paragraphs": [{paragraph % (i, i)}]}}'
            for i, title in enumerate(titles)
        )
        return f'{{"data": [{",".join(articles)}]}}'

    data = load("d.json", squad("A", "B", "C", "C"))
    assert data.kind == "questions" and data.groups == ["A", "B", "C", "C"]
    assert data[0].span == (0, 3) and data[0].text_b == "Who?"
    assert (data.inputs[1], data.targets[1]) == (("Who?", "Ana 1"), (0, 3))
    assert load("d.json", squad("A", "A", "A")).groups == ["Ana 0", "Ana 1", "Ana 2"]
    with pytest.raises(ValueError, match="d.json holds no examples"):
        load("d.json", '{"data": []}')
    with pytest.raises(ValueError, match="d.json is not laid out as SQuAD is"):
        load("d.json", '[{"text": "a"}]')


# All of them


def test_a_file_without_such_an_ending_is_running_text(load):
    assert isinstance(load("d.txt", "= One =\ntext,label\n"), mb.data.TextCorpus)
    with pytest.raises(ValueError, match=r"say what kind of examples it holds: text \(.csv"):
        load("d.txt", "a\n", kind="pairs")
    with pytest.raises(ValueError, match="are for a file of your own, and 'snli' is a data set"):
        mb.data.load("snli", label="gold")
    assert own_files.kind_of("a.b.TSV.gz") == "text" and own_files.kind_of("csv") is None


def test_parts_of_data_share_no_group(load):
    rows = "".join(f"text {i % 60},other {i},{'xy'[i % 2]}\n" for i in range(120))
    data = load("d.csv", "text,other,label\n" + rows)
    train, test = data.split(0.8, 0.2)
    assert train.labels == test.labels == data.labels and train.kind == "text"
    assert (len(train), len(test)) == (96, 24)
    assert not {e.text for e in train} & {e.text for e in test}
    assert [e.text for e in data.split(0.8, 0.2, seed=1)[1]] != [e.text for e in test]
    assert [len(part) for part in data.split(0.5, 0.5)] == [60, 60]
    assert {*data.without(train).groups} == {*test.groups} and len(data.without(data)) == 0


def test_no_group_stands_in_two_parts_and_none_is_empty():
    groups = [i // 2 for i in range(300)]
    parts = split_groups(groups, (0.7, 0.1, 0.2))
    assert sorted(place for part in parts for place in part) == list(range(300))
    assert [len(part) for part in parts] == [210, 30, 60]
    held = [{groups[place] for place in part} for part in parts]
    assert not (held[0] & held[1] or held[0] & held[2] or held[1] & held[2])
    assert parts == split_groups(groups, (0.7, 0.1, 0.2))
    assert parts != split_groups(groups, (0.7, 0.1, 0.2), seed=1)
    for seed in range(9):
        assert all(split_groups("aaaaaabc", (0.8, 0.1, 0.1), seed))
        assert all(split_groups("aaaaaabc", (0.2, 0.2, 0.6), seed))
    with pytest.raises(ValueError, match="at least 3 groups, such as .* for 3 parts, got 2"):
        split_groups("aab", (0.7, 0.1, 0.2))
