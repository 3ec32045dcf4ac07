"""Files of minimal pairs: BLiMP's, Marvin & Linzen's and Linzen's, and what is refused."""

import json

import pytest

import minibert as mb

LGD = "2\tx\tThe keys to the cabinets ***mask*** new .\tare\tis\n"
HEADER = "sentence\torig_sentence\tverb_index\tn_intervening\tn_diff_intervening\n"


def blimp(**changes):
    row = {"sentence_good": "A b.", "sentence_bad": "B a.", "UID": "u", "field": "syntax"}
    return json.dumps(row | {"linguistics_term": "binding"} | changes) + "\n"


@pytest.fixture
def written(tmp_path):
    def write(content, name="pairs.tsv"):
        (tmp_path / name).write_text(content, "utf-8")
        return tmp_path / name

    return write


def test_blimp(written):
    path = written(blimp() + blimp(UID="v", linguistics_term="islands", sentence_good="C."))
    found = mb.data.pairs(path, "blimp")
    assert (found.good, found.bad) == (["A b.", "C."], ["B a.", "B a."])
    assert found.labels == {
        "set": ["u", "v"],
        "phenomenon": ["binding", "islands"],
        "field": ["syntax"] * 2,
    }
    one = found.where(phenomenon="islands")
    assert len(one) == 1 and one.good == ["C."] and one.labels["set"] == ["v"]
    assert repr(found) == "SentencePairs(2 pairs: 2 of set, 2 of phenomenon, 1 of field)"
    with pytest.raises(ValueError, match="no pair has phenomenon='x'; there are binding, islands"):
        found.where(phenomenon="x")
    assert len(mb.data.minimal_pairs.blimp([path, path])) == 4


def test_marvin_and_linzen(written):
    path = written("simple_agrmt\tsing_MS_MV\tthe author laughs\tthe author laugh\n")
    found = mb.data.pairs(path, "marvin-linzen")
    assert (found.good, found.bad) == (["the author laughs"], ["the author laugh"])
    assert found.labels == {"phenomenon": ["simple_agrmt"], "set": ["sing_MS_MV"]}


def test_linzen_in_both_layouts(written):
    found = mb.data.pairs(written(LGD), "linzen")
    assert found.good == ["The keys to the cabinets are new ."]
    assert found.bad == ["The keys to the cabinets is new ."]
    assert found.labels == {"attractors": [2]}
    path = written(HEADER + "the keys\tThe keys to the room are new\t6\t1\t1\n")
    found = mb.data.pairs(path, "linzen", forms={"are": "is"})
    assert found.good == ["The keys to the room are new"]
    assert found.bad == ["The keys to the room is new"]
    assert found.labels == {"attractors": [1], "between": [1]}


@pytest.mark.parametrize(
    "kind, content, told",
    [
        ("blimp", "one\n", "line 1: expected an object with the texts sentence_good"),
        ("blimp", blimp() + blimp(UID=3), "line 2: expected an object with the texts"),
        ("blimp", blimp(sentence_bad=" "), "line 1: expected an object with the texts"),
        ("blimp", "", "is empty"),
        ("marvin-linzen", "a\tb\tc\n", "line 1: expected 4 columns with tabs between them"),
        ("marvin-linzen", "a\tb\tc\td\te\n", "line 1: expected 4 columns"),
        ("marvin-linzen", "a\tb\tc\t \n", "line 1: expected 4 columns"),
        ("linzen", LGD + LGD.replace("***mask***", "are"), "line 2: .* one ...mask"),
        ("linzen", LGD.replace("\tis", "\tare"), "line 1: .* two verbs"),
        ("linzen", LGD.replace("2", "two"), "line 1: expected a number of attractors"),
        ("linzen", blimp(), "line 1: expected 5 columns"),
        ("linzen", HEADER + "a\tb c\t1\t0\t0\n", "has one form of each verb"),
    ],
)
def test_files_of_another_format_are_refused(written, kind, content, told):
    with pytest.raises(ValueError, match=told):
        mb.data.pairs(written(content), kind)


def test_linzens_sentences_need_the_other_form(written):
    for row, told in [
        ("a\tThe keys go\t3\t0\t0\n", "line 2: expected a verb of which forms has .*'go'"),
        ("a\tThe keys are\t4\t0\t0\n", "line 2: expected verb_index and counts"),
        ("a\tThe keys are\t0\t0\t0\n", "line 2: expected verb_index and counts"),
        ("", "a header and no sentences"),
    ]:
        with pytest.raises(ValueError, match=told):
            mb.data.pairs(written(HEADER + row), "linzen", forms={"are": "is"})


def test_a_pickle_is_not_read(tmp_path):
    with pytest.raises(ValueError, match="is a pickle, which can run any program"):
        mb.data.pairs(tmp_path / "simple_agrmt.pickle", "marvin-linzen")
    with pytest.raises(ValueError, match="kind must be 'blimp' or"):
        mb.data.pairs(tmp_path / "a.tsv", "other")
    with pytest.raises(ValueError, match="as many good sentences as bad ones"):
        mb.data.SentencePairs(["a"], [])


@pytest.mark.data
def test_blimp_itself(data_dir):
    found = mb.data.load("blimp")
    assert len(found) == 20_100 and len(set(found.labels["set"])) == 67
    assert sum(a == b for a, b in zip(found.good, found.bad, strict=True)) == 2
    agreement = found.where(set="distractor_agreement_relational_noun").part(range(20))
    gpt = mb.GPT.from_pretrained("minibert-gpt-english")
    scores = mb.probe.minimal_pairs(gpt, agreement.good, agreement.bad)
    assert len(scores) == 20 and scores.ties == 0
