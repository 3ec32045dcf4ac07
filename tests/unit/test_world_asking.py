"""Statements turned into questions."""

import pytest

import minibert as mb
from minibert.world.asking import pairs, question


@pytest.fixture(scope="module")
def asked():
    return {
        " ".join(a): " ".join(b) for a, b in pairs(mb.world.generate(tokens=60_000, seed=0), 11)
    }


def test_a_question_has_the_words_of_its_statement(asked):
    assert len(asked) > 500
    for statement, text in asked.items():
        said, told = text.split(), statement.split()
        assert len(told) <= 11 and said[-1] == "?" and said[0][0].isupper()
        rest = [word.lower() for word in told[:-1]]
        if said[0] in ("Do", "Does", "Did"):
            new = [word for word in said[1:-1] if word.lower() not in rest]
            assert len(new) <= 1 and len(said) == len(told) + 1  # the verb's plain form alone
        else:
            assert sorted(word.lower() for word in said[:-1]) == sorted(rest)


def test_all_three_ways_of_asking_occur(asked):
    starts = {text.split()[0] for text in asked.values()}
    assert {"Did", "Does", "Do", "Is", "Was", "Has"} <= starts
    does = [a for a, b in asked.items() if b.startswith("Does ")]
    assert all(any(word.endswith("s") for word in a.split()) for a in does)


class Sentence:
    def __init__(self, *rows):
        columns = zip(*(row.split() for row in rows), strict=True)
        self.tokens, self.pos, self.lemma, head, self.relation = map(list, columns)
        self.head = [int(i) for i in head]


@pytest.mark.parametrize(
    ("rows", "want"),
    [
        (["The DET the 1 det", "dog NOUN dog 2 nsubj", "ran VERB run -1 root",
          "home ADV home 2 advmod", ". PUNCT . 2 punct"], "Did the dog run home ?"),
        (["Ada PROPN Ada 2 nsubj", "was AUX be 2 cop", "glad ADJ glad -1 root",
          ". PUNCT . 2 punct"], "Was Ada glad ?"),
        (["Ada PROPN Ada 2 nsubj", "has AUX have 2 aux", "left VERB leave -1 root",
          ". PUNCT . 2 punct"], "Has Ada left ?"),
        (["Cows NOUN cow 1 nsubj", "eat VERB eat -1 root", "beans NOUN bean 1 obj",
          ". PUNCT . 1 punct"], "Do cows eat beans ?"),
        (["He PRON he 1 nsubj", "put VERB put -1 root", "it PRON it 1 obj",
          ". PUNCT . 1 punct"], None),  # he puts, or he did?
        (["Today NOUN today 2 obl", "Ada PROPN Ada 2 nsubj", "ran VERB run -1 root",
          ". PUNCT . 2 punct"], None),  # does not begin with its subject
    ],
)  # fmt: skip
def test_the_rule(rows, want):
    got = question(Sentence(*rows))
    assert (got and " ".join(got)) == want
